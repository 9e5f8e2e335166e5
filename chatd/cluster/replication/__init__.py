"""Replication: which people and rooms the servers of a cluster know of each other."""
