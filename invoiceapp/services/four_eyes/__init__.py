"""What waits for a second person, and who that may be."""
