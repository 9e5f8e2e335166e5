"""What people on chatd see, as tests."""
