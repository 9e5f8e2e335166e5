"""The gate: who may come in, and which way in speaks these bytes."""
