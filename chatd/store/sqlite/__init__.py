"""SQLite store: one file, a thread that writes and a thread that reads."""
