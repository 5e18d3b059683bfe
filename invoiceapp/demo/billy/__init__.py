"""A stand-in for the Billy API v2 with the books of an invented Danish company.

Everything is in memory and deterministic; nothing here reaches beyond loopback.
"""
