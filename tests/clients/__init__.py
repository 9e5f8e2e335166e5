"""Tests of chatd-client and chatd-window."""
