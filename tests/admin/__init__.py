"""Tests of chatd-admin."""
