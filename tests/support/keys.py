"""Keys for tests, made once."""

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from twisted.conch.ssh.keys import Key

HOST_KEY = Key(Ed25519PrivateKey.generate())
