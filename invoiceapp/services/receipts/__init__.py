"""Receipts that come after the sending: collected or received, kept, and matched with what they are about."""
