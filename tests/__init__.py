"""What people on chatd see, as tests."""

from pathlib import Path

#: The top of the checkout.
ROOT = Path(__file__).parent.parent
