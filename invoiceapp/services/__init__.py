"""Use cases: the only layer that opens transactions and calls the outside. Folders are concerns."""
