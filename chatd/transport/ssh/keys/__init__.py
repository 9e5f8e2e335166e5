"""SSH keys: the server's host key, files of authorized keys, and users' public keys."""
