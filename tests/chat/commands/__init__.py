"""Tests of chatd.chat.commands."""
