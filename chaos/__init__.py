"""The chaos run: everything real, everything killed, and at the end our books beside those of the partners.

``python -m chaos`` (docs/reliability.md).
"""
