"""Tests of the store on NATS."""
