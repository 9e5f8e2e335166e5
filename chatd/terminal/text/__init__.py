"""Text on a terminal: grapheme clusters and widths, wrapping, emphasis, times, colours, themes."""
