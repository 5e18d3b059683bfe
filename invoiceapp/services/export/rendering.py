"""One document into one format: mapping, built-in rules, bytes, official rules. No database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from invoiceapp.domain.findings import Finding, Severity, Text, Turn, fatal, has_fatal
from invoiceapp.domain.invoice import Attachment, Invoice
from invoiceapp.domain.settings import Settings
from invoiceapp.formats.base import Format
from invoiceapp.formats.validation.validator import Report, Validator
from invoiceapp.gateways.base import safe_filename
from invoiceapp.sources.base import Source

#: Rule sets by the name that users know; others are shown by their own.
RULE_SET_NAMES = {
    "peppol-ubl": "Peppol BIS Billing 3",
    "oioubl-invoice": "OIOUBL 2.1",
    "oioubl-credit-note": "OIOUBL 2.1",
}


@dataclass(frozen=True, slots=True)
class Rendered:
    """Bytes and what the rules said; without bytes where the document cannot be written."""

    content: bytes | None
    findings: tuple[Finding, ...]
    invoice: Invoice | None
    report: Report

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
                f"De officielle regler for {RULE_SET_NAMES[name]} er ikke installeret; dokumentet er kun kontrolleret med de "
                "indbyggede regler.",
                f"The official rules for {RULE_SET_NAMES[name]} are not installed; only the built-in rules checked the document.",
            ),
            Turn.OPERATOR,
        )
        for name in report.missing
    ]


def render(
    source: type[Source], bundle: Mapping[str, Any], settings: Settings, fmt: Format, validator: Validator,
    *, attachments: tuple[Attachment, ...] = (), require_official_rules: bool = False,
) -> Rendered:  # fmt: skip
    """Convert, write and validate. Raises ``UnusableBundle`` for drafts, voided documents and broken data."""
    conversion = source.convert(bundle, settings, attachments)
    invoice = conversion.invoice
    if invoice is None:
        return Rendered(None, conversion.findings, None, Report(()))
    findings = (*conversion.findings, *fmt.check(invoice))
    if has_fatal(findings):
        return Rendered(None, findings, invoice, Report(()))
    content = fmt.write(invoice)
    report = validator.validate(content, fmt, invoice.type)
    return Rendered(
        content, (*findings, *report.findings, *_missing_rules(report, require_official_rules)), invoice, report
    )


def filename(invoice: Invoice, fmt: Format) -> str:
    """``invoice-1042.xml``; transports may name the file otherwise."""
    kind = "creditnote" if invoice.is_credit_note else "invoice"
    return f"{safe_filename(f'{kind}-{invoice.number}', 100)}.{fmt.extension}"


def broken_settings(errors: Mapping[str, Text]) -> list[Finding]:
    """Findings for stored settings that cannot be used (any more)."""
    return [
        fatal(
            "IA-SETTING", f"Indstillingen {name}: {text.da}", f"The setting {name}: {text.en}", turn=Turn.HERE, fix=name
        )
        for name, text in errors.items()
    ]
