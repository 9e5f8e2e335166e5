"""The ways in: Twisted protocols and factories, and what they share."""
