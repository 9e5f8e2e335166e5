"""JetStream's API, the layout of streams and subjects, and the messages in them."""
