"""What a change of the common settings would do, before it is saved: to how many customers, and to real documents.

Nothing is stored or sent, and the official rules are not asked: the newest
documents are mapped and written with the old settings and with the new ones
and counted; some of those that change are shown in full.
"""

from __future__ import annotations

import difflib
import enum
import json
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from itertools import islice, product
from typing import Any

from lxml import etree
from sqlalchemy import String, cast, func, select

from invoiceapp.domain.findings import Finding, has_fatal
from invoiceapp.domain.settings import Settings, SettingsInvalid
from invoiceapp.domain.settings.general import excludes
from invoiceapp.formats.base import Format, OptionsInvalid, Unreadable
from invoiceapp.formats.base import registry as formats
from invoiceapp.models import Adaptor, Customer, Document, ExportRule, Stage, db
from invoiceapp.services.database import transaction
from invoiceapp.services.export.rendering import broken_settings, pdf_attachment
from invoiceapp.services.export.validators import today
from invoiceapp.sources.base import Source, UnusableBundle

from . import judging, verdicts
from .changes import Difference, differences
from .preflight import DAYS
from .settings import Place, places, resolve
from .sources import source_class

log = logging.getLogger(__name__)

MOST_DOCUMENTS = 3
#: Newest documents of touched customers that are judged, in at most so many seconds: a person waits.
_NEWEST, _PATIENCE = 200, 2.0
#: Documents that are looked at to find them; nearly all customers inherit nearly everything.
_SCANNED = 2_000
#: Documents whose records are in memory at once.
_RECORDS = 10
#: Rows of one comparison; an invoice of thousands of lines would fill the page and take long to compare.
MOST_ROWS, _MOST_COMPARED = 120, 1_500
#: Attachments travel inside the document as base64; a wall of letters helps nobody.
_LONGEST_TEXT = 200
#: Stands for the real PDF, which is only fetched when the document is sent.
_PDF = b"%PDF-1.7"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a comparison."""

    kind: str
    """``added``, ``removed``, ``same``, or ``gap`` where lines that are alike are left out"""
    text: str = ""


@dataclass(frozen=True, slots=True)
class Written:
    """A document in one format; without bytes where the built-in rules forbid it."""

    content: bytes | None
    findings: tuple[Finding, ...]
    has_failed: bool = False
    """The program itself failed, whatever the settings say"""

    @property
    def may_leave(self) -> bool:
        """Whether no built-in rule forbids it."""
        return not has_fatal(self.findings)


@dataclass(frozen=True, slots=True)
class Example:
    """What the change does to one document."""

    document_id: str
    number: str
    customer: str
    format: Format
    rows: tuple[Row, ...]
    """Empty where nothing changes, or nothing can be shown"""
    is_cut: bool
    is_shown: bool
    """False for formats that are drawn: comparing needs the PDF engine"""
    lost: tuple[Finding, ...]
    """Findings by which the document would no longer leave"""
    has_failed: bool
    """The program failed with the document, so that nothing can be said of it"""


@dataclass(frozen=True, slots=True)
class Preview:
    """What a save would do."""

    differences: list[Difference]
    customers: int
    """Active ones that get another value"""
    judged: int
    """Documents that were judged, the newest ones of these customers"""
    stopped: int
    """How many of those would no longer leave"""
    examples: list[Example]
    """Of those that stop if there are any, else of those that change"""


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A document to compare, without its records: no transaction is open while it is written."""

    document: Document
    customer: str
    format: Format
    overrides: Mapping[str, Any]


class _Impact(enum.IntEnum):
    """What the change does to a document; what matters most is shown first."""

    STOPS = 0
    CHANGES = 1
    NONE = 2


def preview(adaptor: Adaptor, after: Mapping[str, Any]) -> Preview:
    """What it would do to leave the common settings as ``after`` (``saving.common_after``)."""
    before = dict(adaptor.settings)
    found = differences(before, after)
    changed = {item.place for item in found}
    with transaction():
        customers = _touched(adaptor.id, changed)
        candidates = _candidates(adaptor.id, changed) if customers else []
        source = source_class(adaptor)
        for one in candidates:
            db.session.expunge(one.document)
    impacts = _impacts(source, candidates, before, after)
    chosen = _chosen(candidates, impacts)
    bundles = verdicts.bundles_of([one.document.id for one in chosen])
    examples = [_example(source, one, bundles.get(one.document.id, {}), before, after) for one in chosen]
    stopped = sum(1 for impact in impacts.values() if impact is _Impact.STOPS)
    return Preview(found, customers, len(impacts), stopped, examples)


def _is_touched(changed: Iterable[Place], format_id: str, overrides: Mapping[str, Any]) -> bool:
    """Whether a customer inherits any of the changed values, in the format that it gets."""
    own = places(overrides)
    return any(own.get(at) in (None, "") and (at[0] != "formats" or at[1] == format_id) for at in changed)


def _touched(adaptor_id: str, changed: set[Place]) -> int:
    """How many active customers get another value. Rules without settings, nearly all, are only counted."""
    active = (ExportRule.adaptor_id == adaptor_id, ExportRule.active)
    plain = db.session.execute(
        select(ExportRule.format, func.count()).where(*active, ExportRule.settings == {}).group_by(ExportRule.format)
    )
    with_own = db.session.execute(
        select(ExportRule.format, ExportRule.settings).where(*active, ExportRule.settings != {})
    )
    return sum(count for format_id, count in plain if _is_touched(changed, format_id, {})) + sum(
        1 for format_id, settings in with_own if _is_touched(changed, format_id, settings)
    )


def _candidates(adaptor_id: str, changed: set[Place]) -> list[_Candidate]:
    """The newest documents of touched customers, the newest first; their bundles are read later."""
    query = (
        select(Document, ExportRule.format, ExportRule.settings)
        .join(ExportRule, ExportRule.customer_id == Document.customer_id)
        .where(Document.adaptor_id == adaptor_id, ExportRule.active, Document.stage != Stage.UNUSABLE)
        .order_by(Document.issue_date.desc(), Document.id.desc())
        .limit(_SCANNED)
    )
    if all(at[0] == "formats" for at in changed):
        query = query.where(ExportRule.format.in_({at[1] for at in changed}))
    with db.session.execute(query.execution_options(yield_per=_NEWEST)) as rows:
        touched = (
            _Candidate(document, document.customer_name, formats()[format_id], settings)
            for document, format_id, settings in rows
            if format_id in formats() and _is_touched(changed, format_id, settings)
        )
        return list(islice(touched, _NEWEST))


def _impacts(
    source: type[Source], candidates: Sequence[_Candidate], before: Mapping[str, Any], after: Mapping[str, Any]
) -> dict[str, _Impact]:
    """What becomes of documents, by id: of the last ``DAYS`` days, or of the newest where there are none of those."""
    since, until = today() - timedelta(days=DAYS), time.monotonic() + _PATIENCE
    waiting = iter([one for one in candidates if one.document.issue_date >= since] or candidates)
    found: dict[str, _Impact] = {}
    while chunk := list(islice(waiting, _RECORDS)):
        bundles = verdicts.bundles_of([one.document.id for one in chunk])
        for one in chunk:
            if time.monotonic() > until:
                return found
            found[one.document.id] = _impact(source, one, bundles.pop(one.document.id, {}), before, after)
    return found


def _impact(
    source: type[Source], one: _Candidate, bundle: Any, before: Mapping[str, Any], after: Mapping[str, Any]
) -> _Impact:
    old, new = (_with(source, one, bundle, common) for common in (before, after))
    if old.may_leave and not new.may_leave:
        return _Impact.STOPS
    return _Impact.NONE if old.content == new.content else _Impact.CHANGES


#: In this order: a format that is not there yet, anything that can be compared, anything.
_WISHES: tuple[Callable[[_Candidate, list[_Candidate]], bool], ...] = (
    lambda one, chosen: not one.format.draws and one.format.id not in [other.format.id for other in chosen],
    lambda one, _chosen: not one.format.draws,
    lambda _one, _chosen: True,
)


def _chosen(candidates: Sequence[_Candidate], impacts: Mapping[str, _Impact]) -> list[_Candidate]:
    """Up to three, of different customers: those that stop, then those that change, then any."""
    chosen: list[_Candidate] = []
    for impact, is_wanted in product(_Impact, _WISHES):
        for one in candidates:
            is_new = one.document.customer_id not in [other.document.customer_id for other in chosen]
            is_such = impacts.get(one.document.id, _Impact.NONE) is impact
            if len(chosen) < MOST_DOCUMENTS and is_such and is_new and is_wanted(one, chosen):
                chosen.append(one)
    return chosen


def _example(
    source: type[Source], one: _Candidate, bundle: Any, before: Mapping[str, Any], after: Mapping[str, Any]
) -> Example:
    old, new = (_with(source, one, bundle, common) for common in (before, after))
    is_shown = not one.format.draws
    rows, is_cut = (
        compared(_lines(old.content, one.format), _lines(new.content, one.format)) if is_shown else ((), False)
    )
    known = {(finding.rule, finding.fix) for finding in old.findings}
    lost = tuple(finding for finding in new.findings if finding.is_fatal and (finding.rule, finding.fix) not in known)
    return Example(
        one.document.id, one.document.number, one.customer, one.format, rows, is_cut, is_shown,
        lost if old.may_leave else (), has_failed=old.has_failed or new.has_failed,
    )  # fmt: skip


def _with(source: type[Source], one: _Candidate, bundle: Any, common: Mapping[str, Any]) -> Written:
    try:
        settings = resolve(common, one.overrides)
    except SettingsInvalid as error:
        return Written(None, tuple(broken_settings(error.errors)))
    # Documents of such a type are never sent; which types are is chosen on another page.
    if excludes(settings.general.document_types, one.document.type):
        return Written(None, ())
    return written(source, one.document, bundle, settings, one.format)


def written(source: type[Source], document: Document, bundle: Any, settings: Settings, fmt: Format) -> Written:
    """A document as the settings want it: mapped, checked by the built-in rules and, unless it is drawn, written.

    Raises nothing, whatever the records are: a preview must not keep anybody from saving.
    """
    try:
        return _written(source, document, bundle, settings, fmt)
    except Exception:
        log.exception("document %s could not be compared", document.id)
        return Written(None, judging.failed().findings, has_failed=True)


def _written(source: type[Source], document: Document, bundle: Any, settings: Settings, fmt: Format) -> Written:
    wants_pdf = settings.general.embed_pdf and fmt.carries_attachments
    attachments = (pdf_attachment(document.type, document.number, _PDF),) if wants_pdf else ()
    try:
        conversion = source.convert(bundle, settings, attachments)
        parameters = fmt.parameters(settings.formats.get(fmt.id))
    except UnusableBundle:
        return Written(None, ())
    except OptionsInvalid as error:
        broken = {f"formats.{fmt.id}.{name}": text for name, text in error.errors.items()}
        return Written(None, tuple(broken_settings(broken)))
    if conversion.invoice is None:
        return Written(None, conversion.findings)
    findings = (*conversion.findings, *fmt.check(conversion.invoice, parameters))
    if has_fatal(findings) or fmt.draws:
        return Written(None, findings)
    return Written(fmt.write(conversion.invoice, parameters), findings)


def _lines(content: bytes | None, fmt: Format) -> list[str]:
    """The document as people read it, line by line."""
    if content is None:
        return []
    try:
        text = fmt.shown(content) if fmt.shown else _indented(content)
    except (Unreadable, etree.XMLSyntaxError):
        text = content.decode(errors="replace")
    return [line if len(line) <= _LONGEST_TEXT else f"{line[:_LONGEST_TEXT]} …" for line in text.splitlines()]


def _indented(content: bytes) -> str:
    """Raises ``etree.XMLSyntaxError``."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, remove_blank_text=True)
    root = etree.fromstring(content, parser)
    etree.indent(root)
    return str(etree.tostring(root, encoding="unicode"))


def compared(old: Sequence[str], new: Sequence[str], around: int = 2) -> tuple[tuple[Row, ...], bool]:
    """The lines that differ with some around them, and whether more differ than is shown.

    Nothing is compared where one side could not be written: every line would differ.
    """
    if not old or not new or old == new:
        return (), False
    # What is alike at both ends is set aside first: comparing takes time by the square.
    start = next((i for i, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new)))
    start = max(0, start - around)
    end = 0
    while end < min(len(old), len(new)) - start and old[-1 - end] == new[-1 - end]:
        end += 1
    end = max(0, end - around)
    sides = [list(side[start : len(side) - end]) for side in (old, new)]
    is_cut = any(len(side) > _MOST_COMPARED for side in sides)
    rows = list(_rows(*(side[:_MOST_COMPARED] for side in sides), around=around))
    return tuple(rows[:MOST_ROWS]), is_cut or len(rows) > MOST_ROWS


def _rows(old: list[str], new: list[str], *, around: int) -> Iterable[Row]:
    kinds = {"+": "added", "-": "removed", " ": "same"}
    diff = list(difflib.unified_diff(old, new, lineterm="", n=around))[2:]
    for position, line in enumerate(diff):
        if not line.startswith("@@"):
            yield Row(kinds[line[0]], line[1:])
        elif position:
            yield Row("gap")


def own_values(adaptor_id: str) -> dict[Place, list[tuple[str, str]]]:
    """Which customers have a value of their own, by its place: (id, name) by name. Archived customers are left out."""
    # As text: thousands of customers have few different settings, and each is read once.
    rows = db.session.execute(
        select(Customer.id, Customer.name, cast(ExportRule.settings, String))
        .join(ExportRule, ExportRule.customer_id == Customer.id)
        .where(ExportRule.adaptor_id == adaptor_id, ExportRule.settings != {}, Customer.is_archived.is_(False))
        .order_by(Customer.name, Customer.id)
    )
    found: dict[Place, list[tuple[str, str]]] = {}
    places_of = cache(lambda settings: tuple(places(json.loads(settings))))
    for customer_id, name, settings in rows:
        for at in places_of(settings):
            found.setdefault(at, []).append((customer_id, name))
    return found
