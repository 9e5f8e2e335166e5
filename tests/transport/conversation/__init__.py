"""Tests of chatd.transport.conversation."""
