"""Ways in: the Twisted protocols and factories, and their common parts."""
