"""Tests of chatd.chat.ratelimit."""
