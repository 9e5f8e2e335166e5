"""Delivery: takes events from their author through the store to the audience, and back out."""
