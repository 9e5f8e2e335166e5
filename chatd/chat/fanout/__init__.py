"""Fan-out: the broadcast of one room, with its log, its listeners and their cursors."""
