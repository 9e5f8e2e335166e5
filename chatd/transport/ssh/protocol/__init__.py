"""The SSH protocol (RFC 4251 to 4254) behind Conch, without the chat.

Packets, key exchange, user authentication and channels.
"""
