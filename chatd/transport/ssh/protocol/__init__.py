"""SSH (RFC 4251 to 4254) behind Conch: packets, key exchange, authentication and channels."""
