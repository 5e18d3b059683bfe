"""What is kept, for how long, and how it comes back: backups, retention, legal holds, an export that needs no program.

``backup`` writes ``dump`` and archive through ``sealing``; ``restore`` loads them, and ``aftermath`` says of everything that
was under way that nobody knows what became of it. ``retention`` decides what is due for deletion, ``deleting`` deletes it.
"""
