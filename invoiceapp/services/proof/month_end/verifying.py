"""The same proof once more: from the stored list and the history as of its moment."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import or_, select

from invoiceapp.domain.findings import Text
from invoiceapp.models import MonthEndProof, ProofState, db
from invoiceapp.services.database import reading
from invoiceapp.services.errors import Conflict
from invoiceapp.services.export import archive
from invoiceapp.services.proof import signing
from invoiceapp.services.proof.canonical import canonical

from . import files
from .making import result_of

#: Documents that are reckoned again while a page waits; more by ``flask proof verify``.
MOST_AT_ONCE = 5_000
_NOT_MADE = Text("Beviset er ikke færdigt endnu.", "The proof is not finished yet.")


@dataclass(frozen=True, slots=True)
class Changed:
    """A row that is not what it was; without ``before`` or ``after`` it was or is not there."""

    number: str
    document_id: str | None
    before: dict[str, Any] | None
    after: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a second reckoning says."""

    is_same: bool
    """The result, byte for byte"""
    is_same_csv: bool
    """The CSV, byte for byte; it may be written otherwise by another version of the program"""
    rows: list[Changed] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)
    """Names of parts of the result, besides its rows, that differ"""

    @property
    def holds(self) -> bool:
        """Nothing differs."""
        return self.is_same and self.is_same_csv


def again(proof: MonthEndProof) -> Verdict:
    """Reckon again. Raises ``Conflict`` for one that is not finished, ``ArchiveCorrupt``, ``ArchiveUnavailable``,
    and ``SignatureInvalid`` where the CSV is not the one that was signed.
    """
    if proof.state is not ProofState.FINISHED:
        raise Conflict(_NOT_MADE)
    stored, before, csv, signature = (
        archive.load(str(name))
        for name in (proof.list_sha256, proof.result_sha256, proof.csv_sha256, proof.signature_sha256)
    )
    language = proof.language
    signing.verify(csv, signature)
    result = result_of(stored)
    after, is_same_csv = canonical(result), files.csv_of(result, language) == csv
    if after == before:
        return Verdict(True, is_same_csv)
    then = files.read(before)
    parts = sorted(
        name for name in then.keys() | result.keys() if name not in _ROWS and then.get(name) != result.get(name)
    )
    return Verdict(False, is_same_csv, [one for name in _ROWS for one in _changed(then[name], result[name])], parts)


_ROWS = ("rows", "only_ours")


def _changed(before: Iterable[Mapping[str, Any]], after: Iterable[Mapping[str, Any]]) -> list[Changed]:
    old, new = ({(one["source_id"], one["number"]): dict(one) for one in rows} for rows in (before, after))
    return [
        Changed(key[1] or key[0], (old.get(key) or new[key])["document_id"], old.get(key), new.get(key))
        for key in sorted(old.keys() | new.keys())
        if old.get(key) != new.get(key)
    ]


def of_file(content: bytes) -> list[MonthEndProof]:
    """The proofs that have a file with exactly these bytes: their PDF, CSV, signature, list or result."""
    name = hashlib.sha256(content).hexdigest()
    columns = (
        MonthEndProof.pdf_sha256, MonthEndProof.csv_sha256, MonthEndProof.signature_sha256, MonthEndProof.list_sha256,
        MonthEndProof.result_sha256,
    )  # fmt: skip
    with reading():
        found = db.session.scalars(select(MonthEndProof).where(or_(*(column == name for column in columns)))).all()
    return list(found)
