"""Tests of chatd.chat.text."""
