"""One document into one format: mapping, built-in rules, bytes, official rules. No database."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from invoiceapp.domain.file_names import FileName, safe_filename
from invoiceapp.domain.findings import Finding, Severity, Text, Turn, fatal, has_fatal
from invoiceapp.domain.invoice import Attachment, DocumentType, Invoice
from invoiceapp.domain.settings import GROUPS, Settings, fields_of
from invoiceapp.formats.base import Format, Interchange, OptionsInvalid, Parameters
from invoiceapp.formats.base import registry as formats
from invoiceapp.formats.validation import book, catalogue
from invoiceapp.formats.validation.validator import Report, Validator
from invoiceapp.sources.base import Source

from . import drawing

#: Gives an interchange between sender and receiver its number; the third value is the content's fingerprint.
Numbering = Callable[[str, str, str], Interchange]


@dataclass(frozen=True, slots=True)
class Rendered:
    """Bytes and what the rules said; without bytes where the document cannot be written."""

    content: bytes | None
    findings: tuple[Finding, ...]
    invoice: Invoice | None
    report: Report
    interchange: Interchange | None = None
    """Which numbered interchange the bytes are"""

    @property
    def may_leave(self) -> bool:
        """Whether nothing forbids sending it."""
        return self.content is not None and not has_fatal(self.findings)


def _missing_rules(report: Report, required: bool) -> list[Finding]:
    return [
        Finding(
            "IA-RULES-MISSING",
            Severity.FATAL if required else Severity.INFO,
            Text(
                f"De officielle regler for {catalogue.NAMES[name].da} er ikke installeret; dokumentet er kun kontrolleret med de "
                "indbyggede regler.",
                f"The official rules for {catalogue.NAMES[name].en} are not installed; only the built-in rules checked the document.",
            ),
            Turn.OPERATOR,
        )
        for name in report.missing
    ]


def unnumbered(sender: str, receiver: str, fingerprint: str) -> Interchange:
    """For documents that are looked at and not sent."""
    return Interchange()


def _written(fmt: Format, invoice: Invoice, parameters: Parameters) -> bytes:
    return drawing.write(fmt, invoice, parameters) if fmt.draws else fmt.write(invoice, parameters)


def _within_budget(attachments: tuple[Attachment, ...], budget_mb: int) -> tuple[tuple[Attachment, ...], list[Finding]]:
    """The attachments that fit, and a warning for each that is left out: receivers refuse documents that are too large."""
    left = budget_mb * 1_000_000
    kept, findings = [], []
    for item in attachments:
        # As base64, which is how they travel.
        size = (len(item.content) + 2) // 3 * 4
        if size <= left:
            kept.append(item)
            left -= size
        else:
            findings.append(
                book.finding(
                    "IA-ATTACHMENT-SIZE",
                    Severity.WARNING,
                    value=item.filename,
                    size=f"{size / 1_000_000:.1f}",
                    limit=budget_mb,
                )
            )
    return tuple(kept), findings


def render(
    source: type[Source], bundle: Mapping[str, Any], settings: Settings, fmt: Format, validator: Validator,
    *, attachments: tuple[Attachment, ...] = (), require_official_rules: bool = False, numbering: Numbering = unnumbered,
) -> Rendered:  # fmt: skip
    """Convert, write and validate.

    Raises ``UnusableBundle`` for drafts, voided documents and broken data, and
    ``CannotDraw`` for formats that need the PDF engine.
    """
    attachments, too_large = _within_budget(
        attachments if fmt.carries_attachments else (), settings.general.attachment_budget
    )
    conversion = source.convert(bundle, settings, attachments)
    converted = (*conversion.findings, *too_large)
    invoice = conversion.invoice
    if invoice is None:
        return Rendered(None, converted, None, Report(()))
    try:
        parameters = fmt.parameters(settings.formats.get(fmt.id))
    except OptionsInvalid as error:
        broken = broken_settings({f"formats.{fmt.id}.{name}": text for name, text in error.errors.items()})
        return Rendered(None, (*converted, *broken), invoice, Report(()))
    findings = (*converted, *fmt.check(invoice, parameters))
    if has_fatal(findings):
        return Rendered(None, findings, invoice, Report(()))
    content = _written(fmt, invoice, parameters)
    report = validator.validate(content, fmt, invoice.type)
    interchange = None
    if not has_fatal(report.findings):
        # Only what may leave takes a number: partners ask after the missing ones. What is sent is what was judged last.
        route = fmt.route(invoice, parameters.options) if fmt.route else None
        if route is not None:
            interchange = numbering(*route, hashlib.sha256(content).hexdigest())
            content = _written(fmt, invoice, replace(parameters, interchange=interchange))
            report = validator.validate(content, fmt, invoice.type)
    findings = (*findings, *report.findings, *_missing_rules(report, require_official_rules))
    return Rendered(content, findings, invoice, report, interchange)


def pdf_attachment(document_type: DocumentType, number: str, content: bytes) -> Attachment:
    """The document's PDF as it travels inside the e-invoice."""
    name = safe_filename(number, 100)
    text = "Kreditnota (PDF)" if document_type is DocumentType.CREDIT_NOTE else "Faktura (PDF)"
    return Attachment(number, f"{name}.pdf", "application/pdf", content, text)


def filename(invoice: Invoice, fmt: Format, name: FileName, key: str) -> str:
    """The customer's own file name, else ``invoice-1042.xml``, which transports may name otherwise."""
    kind = "creditnote" if invoice.is_credit_note else "invoice"
    stem = name.stem("", key) if name.template else safe_filename(f"{kind}-{invoice.number}", 100)
    return f"{stem}.{fmt.extension}"


_VAT = Text("Momskategorier", "VAT categories")


def _label(name: str) -> Text:
    """What the forms call a setting; its own name where this installation has no such field."""
    group, _, field = name.rpartition(".")
    if name == "vat" or name.startswith("vat."):
        return _VAT
    if group in GROUPS:
        declared = fields_of(group)
    else:
        known = formats().get(group.removeprefix("formats."))
        declared = known.options if known else ()
    return next((one.label for one in declared if one.name == field), Text(name, name))


def broken_settings(errors: Mapping[str, Text]) -> list[Finding]:
    """Findings for stored settings that cannot be used (any more)."""
    return [
        fatal(
            "IA-SETTING",
            f"Indstillingen »{_label(name).da}«: {text.da}",
            f"The setting “{_label(name).en}”: {text.en}",
            turn=Turn.HERE,
            fix=name,
        )
        for name, text in errors.items()
    ]
