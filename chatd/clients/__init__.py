"""Clients that come with chatd: programs of their own, which reach the server over the network."""
