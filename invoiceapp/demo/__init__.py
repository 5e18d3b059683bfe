"""Stand-ins on loopback for the demo and the tests: the accounting system and the receiving partners."""
