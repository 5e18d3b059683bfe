"""Export of thousands of invoices, end to end: ``python -m benchmarks.export``."""
