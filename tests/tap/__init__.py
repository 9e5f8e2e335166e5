"""Tests of the command line and of the service that it makes."""
