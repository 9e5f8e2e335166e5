"""Worker threads of a store, and calls between them and the main thread."""
