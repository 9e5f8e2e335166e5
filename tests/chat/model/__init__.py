"""Tests of chatd.chat.model."""
