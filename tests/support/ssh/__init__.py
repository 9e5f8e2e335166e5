"""SSH clients in memory, for tests."""
