"""Clients of every kind against one model of what each of them sees."""
