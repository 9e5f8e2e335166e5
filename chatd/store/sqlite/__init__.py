"""The store in one SQLite file: one writer thread, group commit and a search index."""
