"""Tests of chatd.transport.relay."""
