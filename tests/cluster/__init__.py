"""Tests of several servers as one."""
