"""Screens that the line editor and messages are drawn on: full redraw, or line mode."""
