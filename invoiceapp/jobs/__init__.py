"""RQ tasks, the worker's bootstrap and the clock. Thin: an id in, one service call."""
