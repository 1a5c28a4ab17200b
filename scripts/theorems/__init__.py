"""The theorems that `scripts/theory.py` shows."""
