"""Tests of chatd.transport.gate."""
