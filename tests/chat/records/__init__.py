"""Tests of chatd.chat.records."""
