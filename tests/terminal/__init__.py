"""Tests of the line editor and the screen."""
