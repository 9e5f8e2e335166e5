"""Worker threads of a store, and the way between them and the main thread."""
