"""Adaptors, gateways, export rules and settings."""
