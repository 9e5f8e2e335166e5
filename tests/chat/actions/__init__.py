"""Tests of chatd.chat.actions."""
