"""What people type: made safe to show, folded, and read as names, durations and searches."""
