"""What lies behind a million documents that have left: bytes, tries, evidence, timeline, history and the audit log.

Beside the documents and deliveries of ``million.build``. As many rows of each as a document leaves behind that was converted
once and accepted at once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, select, text

from invoiceapp.models import Delivery, db, new_id
from invoiceapp.services.export import archive

from . import million

#: Of each file of the archive, in bytes, as long as an invoice of ten lines.
SIZE = 9_000
#: Of so many documents and this part of them the file is there: what one night looks at.
_NIGHT, _NIGHT_PART = 1_000, 0.02
_AUDIT = "0" * 64
_STATEMENTS = (
    """INSERT INTO attempt (id, created_at, delivery_id, number, fence, wire_ids, finished_at, outcome)
    SELECT '01D' || substr(id, 4), first_sent_at, id, 1, 2, '{"name": "' || idem_key || '.xml"}', finished_at, 'accepted'
    FROM delivery WHERE first_sent_at IS NOT NULL""",
    """INSERT INTO receipt (id, created_at, delivery_id, attempt_id, kind, reference, evidence)
    SELECT '01E' || substr(id, 4), first_sent_at, id, '01D' || substr(id, 4), 'accepted', idem_key || '.xml',
        '{"size": 9000, "sha256": "' || idem_key || '"}'
    FROM delivery WHERE first_sent_at IS NOT NULL""",
    *(
        f"""INSERT INTO event (id, created_at, subscription_id, document_id, delivery_id, actor, kind, data)
        SELECT '01{letter}' || substr(id, 4), first_sent_at, subscription_id, document_id, id, 'system', '{kind}', '{{}}'
        FROM delivery WHERE first_sent_at IS NOT NULL"""
        for letter, kind in (("F", "converted"), ("G", "sending"), ("H", "delivered"))
    ),
    *(
        f"""INSERT INTO status_change (document_id, delivery_id, status, at)
        SELECT id, delivery_id, {status}, status_at FROM document"""
        for status in ("'queued'", "'pending'", "status")
    ),
    """INSERT INTO sent_number (subscription_id, environment, seller, type, number, document_id, taken_at)
    SELECT subscription_id, 'live', adaptor_id, type, number, id, status_at FROM document WHERE delivery_id IS NOT NULL""",
)  # fmt: skip


def fill(subscription: str) -> None:
    """Everything beside documents and deliveries, which are there. One change a person makes for ten documents."""
    connection = db.session.connection()
    count = connection.execute(text("SELECT count(*) FROM document")).scalar_one()
    million.write(connection, "rendition", _renditions(connection, subscription, _last_name(count)))
    connection.execute(text("UPDATE delivery SET rendition_id = '01C' || substr(id, 4)"))
    for statement in _STATEMENTS:
        connection.exec_driver_sql(statement.replace("%", "%%"))
    million.write(connection, "audit_entry", audit(subscription, count // 10))
    connection.execute(
        text("INSERT INTO audit_chain (chain, seq, hash, kept_from) VALUES (:chain, :seq, :hash, 1)"),
        {"chain": subscription, "seq": count // 10, "hash": _AUDIT},
    )
    db.session.commit()
    million.analyze()


def _last_name(count: int) -> str:
    """Files with smaller names are there: SHA-256 spreads names evenly, and a night begins with the first."""
    part = min(max(_NIGHT_PART, _NIGHT / count), 1.0)
    return f"{min(int(16**64 * part), 16**64 - 1):064x}"


def _renditions(connection: Connection, subscription: str, last_name: str) -> Iterator[dict[str, Any]]:
    """One for each delivery; those that a night looks at have their file."""
    rows = connection.execute(
        select(Delivery.id, Delivery.document_id, Delivery.format, Delivery.created_at),
        execution_options={"yield_per": 10_000},
    )
    for id_, document_id, form, created_at in rows:
        content = id_.encode().ljust(SIZE)
        name = hashlib.sha256(content).hexdigest()
        if name <= last_name:
            archive.store(content)
        yield {
            "id": f"01C{id_[3:]}", "created_at": f"{created_at:%Y-%m-%d %H:%M:%S.%f}", "subscription_id": subscription,
            "document_id": document_id, "format": form, "sha256": name, "size": SIZE, "media_type": "application/xml",
            "filename": f"{document_id}.xml", "rule_sets": '[{"name": "peppol-bis-3", "version": "2026-05"}]',
            "missing_rule_sets": "[]", "findings": "[]",
        }  # fmt: skip


def audit(chain: str, count: int) -> Iterator[dict[str, Any]]:
    """Entries of a chain, for ``million.write``; their hashes fit nothing."""
    for seq in range(1, count + 1):
        yield {
            "id": new_id(), "chain": chain, "seq": seq, "at": "2026-11-22 10:00:00.000000", "actor_kind": "person",
            "actor": f"person{seq % 20}@example.com", "act": "changed", "object_kind": "export_rule",
            "object_id": f"01L{seq % 4_000:023}", "object_name": f"Kunde {seq % 4_000}", "outcome": "done",
            "before": '{"format": "cii"}', "after": '{"format": "peppol-bis-3"}', "previous": _AUDIT, "hash": _AUDIT,
        }  # fmt: skip
