"""Benchmarks of chatd, compared to its peers and a floor, on this machine: ``python -m bench``."""
