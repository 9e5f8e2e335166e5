"""Several servers for tests, in memory and on real NATS servers."""
