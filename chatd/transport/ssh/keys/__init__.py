"""Keys: the server's own, lists of authorized keys, and signatures of public keys."""
