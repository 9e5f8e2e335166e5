"""Tests of chatd.chat.delivery."""
