"""Text on a terminal: graphemes and their widths, wrapping, emphasis, times and colours."""
