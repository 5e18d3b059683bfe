"""What would become of one document: the conversion's own chain with the built-in rules only. No database, nothing sent.

Official rules (Saxon) and PDFs are left out: the built-in rules find nearly
everything that books and settings can get wrong, in a millisecond a document.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any

from invoiceapp.domain.findings import Finding, Turn, fatal
from invoiceapp.domain.identifiers import CVR, GLN, Participant, cvr_from, digits
from invoiceapp.domain.invoice import DocumentType, Invoice, Totals
from invoiceapp.domain.money import ZERO
from invoiceapp.domain.parties import Address, Party
from invoiceapp.domain.settings import CustomerSettings, Settings, SettingsInvalid
from invoiceapp.domain.settings.general import excludes
from invoiceapp.formats.base import Format, OptionsInvalid
from invoiceapp.formats.base import registry as formats
from invoiceapp.models import dump_json, load_json
from invoiceapp.services.export.rendering import broken_settings
from invoiceapp.sources.base import Source, UnusableBundle

from .settings import resolve

log = logging.getLogger(__name__)

#: To be raised with every change of a mapping or a built-in rule: then each document is judged again.
RULES_VERSION = 1
#: Findings that one verdict keeps; a document of 4,000 lines may break one rule on each of them.
MOST_FINDINGS = 30
#: Where neither the customer nor the adaptor has a format: what public bodies in Denmark take, and everybody else.
FOR_DANISH_GLN, FOR_OTHERS = "oioubl-2.1", "peppol-bis-3"
#: The rule of documents that cannot become an invoice at all, as the dashboard names it (``services/daily/causes.py``).
UNUSABLE = "unusable"

_INTERNAL = fatal(
    "IA-INTERNAL",
    "Kontrollen fejler på grund af en fejl i programmet. Send dokumentets nummer til den, der driver serveren.",
    "The check fails because of a fault in the program. Send the document's number to whoever runs the server.",
    turn=Turn.OPERATOR,
)


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything about one customer that a verdict depends on, as stored. Equal facts give equal verdicts."""

    customer_id: str
    name: str
    country: str | None
    gln: str | None
    registration_no: str | None
    own_format: str | None
    """Of its export rule, whether that is active or not"""
    default_format: str | None
    """The adaptor's"""
    common: Mapping[str, Any]
    override: Mapping[str, Any]

    @property
    def format_id(self) -> str:
        """The format that its documents would get."""
        public = FOR_DANISH_GLN if self.country == "DK" and self.gln else FOR_OTHERS
        return self.own_format or self.default_format or public


@dataclass(frozen=True, slots=True)
class Plan:
    """How one customer's documents would be exported; without ``settings`` or ``format`` they would not be."""

    format_id: str
    format: Format | None
    settings: Settings | None
    obstacles: tuple[Finding, ...]
    """What stops every document, whatever is in it"""
    digest: str

    def fingerprint(self, bundle_sha256: str) -> str:
        """The same one gives the same verdict."""
        return hashlib.sha256(f"{self.digest}:{bundle_sha256}".encode()).hexdigest()

    def includes(self, document_type: DocumentType) -> bool:
        """Whether documents of this type are exported at all."""
        return self.settings is None or not excludes(self.settings.general.document_types, document_type)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What forbids a document to leave; nothing where it may."""

    findings: tuple[Finding, ...]
    is_lasting: bool = True
    """False where the program failed: the next version may do better"""


def plan_of(facts: Facts) -> Plan:
    """The plan for one customer; settings that cannot be used become obstacles."""
    return _plan(
        dump_json(facts.common), dump_json(facts.override), facts.format_id, is_own=facts.own_format is not None
    )


# Most customers have no settings of their own, and resolving takes a millisecond.
@lru_cache(maxsize=256)
def _plan(common: str, override: str, format_id: str, *, is_own: bool) -> Plan:
    fmt = formats().get(format_id)
    obstacles = [] if fmt else [_unknown_format(format_id, is_own)]
    settings: Settings | None = None
    try:
        settings = resolve(load_json(common), load_json(override))
    except SettingsInvalid as error:
        obstacles += broken_settings(error.errors)
    described = _described(settings, format_id) if settings else f"{common}\n{override}"
    digest = hashlib.sha256(f"{RULES_VERSION}\n{format_id}\n{described}".encode(errors="surrogatepass")).hexdigest()
    return Plan(format_id, fmt, settings, tuple(obstacles), digest)


def _described(settings: Settings, format_id: str) -> str:
    """The effective settings as JSON; of formats only the one that is used."""
    values = dataclasses.asdict(settings) | {"formats": dict(settings.formats.get(format_id, {}))}
    return json.dumps(values, sort_keys=True, default=str)


def _unknown_format(format_id: str, is_own: bool) -> Finding:
    return fatal(
        "IA-FORMAT",
        f"Formatet {format_id} findes ikke i denne installation. Vælg et andet "
        f"{'på kunden' if is_own else 'under Generelt'}.",
        f"The format {format_id} does not exist in this installation. Choose another "
        f"{'for the customer' if is_own else 'under General'}.",
        turn=Turn.HERE,
        fix="customer.format" if is_own else None,
    )


def judge(source: type[Source], plan: Plan, bundle: Mapping[str, Any]) -> Verdict:
    """The verdict on one document's records. Raises nothing, whatever the records are."""
    if plan.obstacles or plan.format is None or plan.settings is None:
        return Verdict(plan.obstacles)
    try:
        return Verdict(_fatal(source, bundle, plan.settings, plan.format))
    except UnusableBundle as error:
        text = error.text
        return Verdict((fatal(UNUSABLE, text.da, text.en, turn=Turn.SOURCE, fix="source.invoice"),))
    except Exception:
        log.exception("a document could not be judged")
        return failed()


def failed() -> Verdict:
    """The verdict where the program fails."""
    return Verdict((_INTERNAL,), is_lasting=False)


def _fatal(source: type[Source], bundle: Mapping[str, Any], settings: Settings, fmt: Format) -> tuple[Finding, ...]:
    conversion = source.convert(bundle, settings)
    findings, invoice = list(conversion.findings), conversion.invoice
    if invoice is not None:
        findings += _of_format(invoice, settings, fmt)
    stopping = [finding for finding in findings if finding.is_fatal]
    if invoice is not None and not stopping and not fmt.draws:
        # A tenth of a millisecond, and a writer that fails says so now and not on the day.
        fmt.write(invoice, fmt.parameters(settings.formats.get(fmt.id)))
    return tuple(stopping[:MOST_FINDINGS])


def _of_format(invoice: Invoice, settings: Settings, fmt: Format) -> list[Finding]:
    try:
        parameters = fmt.parameters(settings.formats.get(fmt.id))
    except OptionsInvalid as error:
        return broken_settings({f"formats.{fmt.id}.{name}": text for name, text in error.errors.items()})
    return fmt.check(invoice, parameters)


#: What the rules may say of a customer that has no documents: the rest is said of documents.
_OF_THE_ADDRESS = frozenset({"customer.endpoint", "customer.gln", "customer.country"})


def judge_address(plan: Plan, facts: Facts) -> Verdict:
    """What keeps a customer without documents from getting any: the format's own rules on its name and address."""
    if plan.obstacles or plan.format is None or plan.settings is None:
        return Verdict(plan.obstacles)
    try:
        findings = _of_format(_sketch(facts, plan.settings.customer), plan.settings, plan.format)
    except Exception:
        log.exception("customer %s could not be judged", facts.customer_id)
        return failed()
    unsure = {"customer.endpoint"} if _is_foreign_company(facts) else set()
    return Verdict(tuple(item for item in findings if item.is_fatal and item.fix in _OF_THE_ADDRESS - unsure))


def _is_foreign_company(facts: Facts) -> bool:
    """Whether only the source's mapping can say which address the registration number makes."""
    return not facts.gln and bool(facts.registration_no) and facts.country not in (None, "DK")


def _address(facts: Facts, settings: CustomerSettings, country: str | None) -> Participant | None:
    if settings.endpoint or facts.gln:
        return settings.endpoint or Participant(GLN, digits(facts.gln or ""))
    cvr = cvr_from(facts.registration_no) if country == "DK" else None
    return Participant(CVR, cvr) if cvr else None


def _sketch(facts: Facts, settings: CustomerSettings) -> Invoice:
    """An invoice that says nothing but who the buyer is."""
    country = settings.country or facts.country
    buyer = Party(
        name=settings.name or facts.name,
        endpoint=_address(facts, settings, country),
        address=Address(country=country),
        identifiers=(Participant(GLN, settings.gln),) if settings.gln else (),
    )
    totals = Totals(*(ZERO for _ in dataclasses.fields(Totals)))
    return Invoice(
        "sketch", DocumentType.INVOICE, "1", date(2026, 1, 1), "DKK", Party("-"), buyer, (), (), totals
    )  # fmt: skip
