"""The audit log: who did what, when, from where, and what it changed. Append-only, in chains of hashes (docs/audit.md).

Changes of audited rows are written by themselves where somebody is ``acting``; ``note`` is for acts. Both leave with
the caller's transaction.
"""

# Importing ``rows`` makes sessions notice changes of rows.
from invoiceapp.services.audit import rows  # noqa: F401
from invoiceapp.services.audit.writing import (
    SYSTEM,
    Acting,
    Actor,
    acting,
    acting_as,
    begin,
    current,
    end,
    note,
    note_of_person,
)

__all__ = ["SYSTEM", "Acting", "Actor", "acting", "acting_as", "begin", "current", "end", "note", "note_of_person"]
