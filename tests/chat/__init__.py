"""Tests of the chat of one server."""
