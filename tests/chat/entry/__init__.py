"""Tests of chatd.chat.entry."""
