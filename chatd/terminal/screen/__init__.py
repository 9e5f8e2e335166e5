"""The screen that the editor and the messages are drawn on, or the paper."""
