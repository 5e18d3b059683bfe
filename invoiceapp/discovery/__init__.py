"""Participant look-up: the networks' own registers, asked by values, answered by values and evidence."""
