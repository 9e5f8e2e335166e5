"""How fast chatd is, beside its peers and a floor, on this machine: ``python -m bench``."""
