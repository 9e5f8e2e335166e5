"""Tests of chatd.chat.actions.moderation."""
