"""Tests of chatd.chat.fanout."""
