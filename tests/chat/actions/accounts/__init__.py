"""Tests of chatd.chat.actions.accounts."""
