"""What owners do with their accounts: keys, the password, and their connections."""
