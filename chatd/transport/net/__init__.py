"""Sockets and ports: outboxes, listening, shared ports and descriptor limits."""
