"""Tests of chatd.transport.services."""
