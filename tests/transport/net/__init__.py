"""Tests of chatd.transport.net."""
