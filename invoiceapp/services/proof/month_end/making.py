"""Making a proof, in the background: the list is read in slices, and then all is reckoned, written down and signed at once."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, select, update

from invoiceapp.domain.findings import Text
from invoiceapp.models import Adaptor, MonthEndProof, ProofState, db, new_id, utcnow
from invoiceapp.services import background
from invoiceapp.services.configuration import sources
from invoiceapp.services.database import changed, reading, transaction
from invoiceapp.services.errors import Conflict, InvalidInput
from invoiceapp.services.export import archive, standing
from invoiceapp.services.export.validators import today
from invoiceapp.services.keeping import discarding
from invoiceapp.services.proof import signing
from invoiceapp.services.proof.canonical import canonical
from invoiceapp.sources.base import Source, SourceError

from . import files, history, listing, noting, paper
from .books import Books
from .reckoning import reckon

#: The kind of job.
KIND = "month_end_proof"
#: Between the moment and the reckoning, so that what was being written at the moment has been.
SETTLE = timedelta(seconds=5)
MOST_DAYS = 366


def ask(adaptor: Adaptor, first: date | None, last: date | None, *, actor: str, language: str) -> str:
    """Begin a proof of the days ``first`` to ``last``; its id. Raises ``InvalidInput``, ``Conflict``."""
    standing.require(adaptor)
    errors = _errors(first, last)
    if errors or first is None or last is None:
        raise InvalidInput(errors)
    proof_id = new_id()
    with transaction() as session:
        session.add(
            MonthEndProof(
                id=proof_id, subscription_id=adaptor.subscription_id, adaptor_id=adaptor.id, first_day=first, last_day=last,
                made_by=actor, language=language, state=ProofState.OPEN,
            )
        )  # fmt: skip
    try:
        parts = (last - first).days // listing.DAYS + 1
        job_id = background.start(
            adaptor.id, KIND, actor=actor, parameters={"proof": proof_id}, total=parts + 2
        )  # fmt: skip
    except Conflict:
        with transaction() as session:
            session.execute(delete(MonthEndProof).where(MonthEndProof.id == proof_id))
        raise
    with transaction() as session:
        # A worker may have finished it already: then nobody asks for its job any more.
        still_open = MonthEndProof.state == ProofState.OPEN
        session.execute(update(MonthEndProof).where(MonthEndProof.id == proof_id, still_open).values(job_id=job_id))
    return proof_id


def _errors(first: date | None, last: date | None) -> dict[str, Text]:
    errors = {}
    if first is None:
        errors["from"] = Text("Vælg en dag.", "Choose a day.")
    if last is None:
        errors["to"] = Text("Vælg en dag.", "Choose a day.")
    if first and last and last < first:
        errors["to"] = Text("Perioden slutter, før den begynder.", "The period ends before it begins.")
    elif first and last and (last - first).days >= MOST_DAYS:
        errors["to"] = Text("Vælg højst et år.", "Choose a year at most.")
    if first and first > today():
        errors["from"] = Text("Perioden er ikke begyndt endnu.", "The period has not begun yet.")
    return errors


def run(progress: background.Progress) -> bool:
    """One slice, the handler of ``KIND``; True while there is more. Raises ``ServiceError``."""
    proof_id = str(progress.parameters["proof"])
    with transaction() as session:
        proof = session.get(MonthEndProof, proof_id)
        adaptor = session.get_one(Adaptor, progress.adaptor_id, populate_existing=True)
        if proof is None or proof.state is not ProofState.OPEN:
            return False
        standing.require(adaptor)
        first, last, language = proof.first_day, proof.last_day, proof.language
        company, label = adaptor.organization, adaptor.name
        opened = sources.open_source(adaptor)
    if "moment" not in progress.result:
        _begin(progress, proof_id)
    try:
        with opened as source:
            sources.require_company(source, company)
            if _read(progress, source, first, last, proof_id):
                return True
            books = _books(progress, source, first, last, company or {}, label)
    except SourceError as error:
        # The job ends with it, so that nobody reads them any more.
        with transaction():
            progress.step(0, progress.cursor)
            discarding.note(progress.result["parts"])
        raise sources.SourceFailed(error.text) from error
    _finish(progress, proof_id, books, language)
    return False


def _begin(progress: background.Progress, proof_id: str) -> None:
    """Take the moment, before anything is read."""
    moment = _now()
    with transaction() as session:
        session.execute(update(MonthEndProof).where(MonthEndProof.id == proof_id).values(moment=moment))
        progress.result = {"moment": moment.isoformat(), "parts": []}
        progress.step(0)


def _now() -> datetime:
    """By the clock that the history is written with."""
    if db.engine.dialect.name != "postgresql":
        return utcnow()
    with reading() as session:
        now: datetime = session.scalars(select(func.clock_timestamp())).one()
    return now.astimezone(UTC)


def _read(progress: background.Progress, source: Source, first: date, last: date, proof_id: str) -> bool:
    """Read on from the cursor; True where the slice is over before the list."""
    until = time.monotonic() + background.SLICE
    day = date.fromisoformat(progress.cursor) if progress.cursor else first
    while day <= last:
        end = min(day + timedelta(days=listing.DAYS - 1), last)
        _keep(progress, listing.read_days(source, day, end, proof_id), end + timedelta(days=1))
        day = end + timedelta(days=1)
        if time.monotonic() > until:
            return True
    if day == last + timedelta(days=1):
        _keep(progress, listing.read_numbers(source, first, last, proof_id), day + timedelta(days=1))
    return False


def _keep(progress: background.Progress, name: str, following: date) -> None:
    progress.result = {**progress.result, "parts": [*progress.result["parts"], name]}
    with transaction():
        progress.step(1, following.isoformat())


def _books(
    progress: background.Progress, source: Source, first: date, last: date, company: Mapping[str, Any], adaptor: str
) -> Books:
    moment = datetime.fromisoformat(progress.result["moment"])
    documents, unreadable, taken = listing.together(progress.result["parts"])
    time.sleep(max(0.0, (moment + SETTLE - utcnow()).total_seconds()))
    listed = {one.id for one in documents} | {one.id for one in unreadable}
    ours = noting.of_period(progress.adaptor_id, first, last, listed)
    noted = listing.standings(source, ours, listed, taken)
    return Books(
        first, last, moment, str(company.get("name") or ""), tuple(documents), tuple(unreadable), tuple(taken), tuple(noted),
        str(company.get("registration_no") or ""), adaptor,
    )  # fmt: skip


def _finish(progress: background.Progress, proof_id: str, books: Books, language: str) -> None:
    # Through its stored form, as every later reckoning.
    stored = canonical(books.to_json())
    result = result_of(stored)
    content, csv = canonical(result), files.csv_of(result, language)
    list_sha256, result_sha256, csv_sha256 = (archive.store(one) for one in (stored, content, csv))
    with transaction() as session:
        maker = session.get_one(MonthEndProof, proof_id).made_by
    prints = paper.Prints(proof_id, maker, list_sha256, result_sha256, csv_sha256, signing.fingerprint())
    pdf = signing.sign_pdf(paper.draw(result, prints, language), paper.reason(result, language))
    values: dict[str, Any] = {
        "state": ProofState.FINISHED, "finished_at": utcnow(), "list_sha256": list_sha256, "result_sha256": result_sha256,
        "csv_sha256": csv_sha256, "signature_sha256": archive.store(signing.sign(csv)), "pdf_sha256": archive.store(pdf),
        "summary": {name: result[name] for name in ("documents", "open", "warnings")},
    }  # fmt: skip
    with transaction() as session:
        # The list is stored as one now, so that its parts may go.
        discarding.note(progress.result["parts"])
        progress.step(1, progress.cursor)
        made = session.execute(
            update(MonthEndProof)
            .where(MonthEndProof.id == proof_id, MonthEndProof.state == ProofState.OPEN)
            .values(**values)
            .execution_options(synchronize_session=False)
        )
        if not changed(made):
            raise background.LeaseLost


def result_of(stored: bytes) -> dict[str, Any]:
    """The result from the stored books and the history as of their moment."""
    books = Books.from_json(files.read(stored))
    wanted = {one.document_id for one in books.noted} | {one.elsewhere for one in books.noted if one.elsewhere}
    return reckon(books, history.at(books.moment, wanted))
