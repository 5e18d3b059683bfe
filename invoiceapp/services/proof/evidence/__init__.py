"""The evidence pack: everything that shows what was read, made, sent and answered, in one zip that proves itself.

``gathering`` collects one document, ``pack`` writes the zip, ``checking`` judges one without a database, ``jobs`` writes
large ones in the background (docs/decisions/0036).
"""
