"""Delivery: events from their author through the store to the audience, and reading them back."""
