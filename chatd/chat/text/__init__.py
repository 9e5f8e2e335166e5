"""Text that users type: made safe to show, folded, and parsed as names, durations and searches."""
