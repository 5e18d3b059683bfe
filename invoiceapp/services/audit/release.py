"""The beginning of a chain may be deleted when its time is over: with an entry that says so, and nothing else.

This is the only way: the triggers of models/audit.py keep entries from ``AuditChain.kept_from`` on, and only an entry
``audit.released`` with the number and the hash of the last deleted one lets a chain begin there (``audit_verify``).
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, func, select, update

from invoiceapp.models import AuditChain, AuditEntry
from invoiceapp.services.audit.verify import RELEASED
from invoiceapp.services.audit.writing import append, current, draft_of
from invoiceapp.services.database import transaction


def release(chain: str, before: datetime, reason: str = "") -> int:
    """Delete the chain's entries that are older than ``before``; how many. ``chain``: a subscription's id or ``INSTALLATION``."""
    with transaction() as session:
        # First a write, which holds the chain: nothing is added meanwhile.
        connection = session.connection()
        held = connection.execute(
            update(AuditChain).where(AuditChain.chain == chain).values(seq=AuditChain.seq)
            .returning(AuditChain.seq, AuditChain.kept_from)
        ).one_or_none()  # fmt: skip
        if held is None:
            return 0
        young = select(func.min(AuditEntry.seq)).where(AuditEntry.chain == chain, AuditEntry.at >= before)
        last = (connection.scalar(young) or held.seq + 1) - 1
        if last < held.kept_from:
            return 0
        head = connection.scalar(select(AuditEntry.hash).where(AuditEntry.chain == chain, AuditEntry.seq == last))
        after = {"up_to": last, "head": head, "reason": reason}
        append(connection, [draft_of(current(), RELEASED, chain, "audit", None, "", None, after)])
        connection.execute(update(AuditChain).where(AuditChain.chain == chain).values(kept_from=last + 1))
        old = delete(AuditEntry).where(AuditEntry.chain == chain, AuditEntry.seq <= last)
        return int(connection.execute(old).rowcount)
