"""Clients that come with chatd: separate programs, which reach the server over the network."""
