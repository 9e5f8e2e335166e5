"""The broadcast of one room: its log, its listeners and their cursors."""
