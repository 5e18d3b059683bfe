"""XSD and Schematron, compiled once per process.

Traps that shape this module (docs/decisions/0004): compiling costs seconds, so
it happens once; style sheets are compiled from files, because compiling from
text can kill the process; Saxon resolves external entities, so bytes go
through a hardened lxml parser first and Saxon gets what lxml serialises.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from lxml import etree

from invoiceapp.domain.findings import Finding, Severity, Text, Turn, fatal, has_fatal
from invoiceapp.domain.invoice import DocumentType
from invoiceapp.formats.base import Format, Unreadable

from .catalogue import RuleSet, find_rule_set, xsd_path
from .reports import read_report

#: An invoice of 4 000 lines is about 4 MB, and PDFs may be embedded.
LARGEST_DOCUMENT = 64 * 1024 * 1024

_ROOT_TYPES = {
    "{urn:oasis:names:specification:ubl:schema:xsd:Invoice-2}Invoice": DocumentType.INVOICE,
    "{urn:oasis:names:specification:ubl:schema:xsd:CreditNote-2}CreditNote": DocumentType.CREDIT_NOTE,
}


@dataclass(frozen=True, slots=True)
class Report:
    """What the rules say of one document, and which rules were asked."""

    findings: tuple[Finding, ...]
    rule_sets: tuple[RuleSet, ...] = ()
    missing: tuple[str, ...] = ()
    """Rule sets that the format has but this installation has not"""

    @property
    def is_complete(self) -> bool:
        """Whether every official rule set of the format was asked."""
        return not self.missing


@dataclass
class Validator:
    """Rules of one process. Not thread-safe: each worker process has its own."""

    rules_dir: Path | None = None
    _schemas: dict[str, etree.XMLSchema] = field(default_factory=dict)
    _rule_sets: dict[str, tuple[RuleSet, Any] | None] = field(default_factory=dict)
    _saxon: Any = None

    def warm(self, formats: list[Format]) -> None:
        """Compile everything the formats need, before the first document waits for it."""
        for item in formats:
            for schema in item.schemas.values():
                if schema.xsd:
                    self._schema(schema.xsd)
                for name in schema.rules:
                    self._compiled(name)

    def validate(self, content: bytes, fmt: Format, document_type: DocumentType) -> Report:
        """Findings of all layers; the rule sets run only over what the XSD accepts."""
        own = tuple(fmt.examine(content)) if fmt.examine else ()
        schema = fmt.schemas.get(document_type)
        if schema is None or has_fatal(own):
            return Report(own)
        try:
            root = parse_xml(fmt.payload(content))
        except Unreadable as error:
            return Report((*own, Finding("XML", Severity.FATAL, error.text, Turn.OPERATOR)))
        if isinstance(root, Finding):
            return Report((*own, root))
        if schema.xsd:
            broken = self._xsd_findings(root, schema.xsd)
            if broken:
                return Report((*own, *broken))
        report = self._judge(root, schema.rules)
        return replace(report, findings=(*own, *report.findings))

    def _judge(self, root: etree._Element, names: tuple[str, ...]) -> Report:
        findings: list[Finding] = []
        used: list[RuleSet] = []
        missing: list[str] = []
        text = etree.tostring(root, encoding="unicode")
        node = None
        for name in names:
            compiled = self._compiled(name)
            if compiled is None:
                missing.append(name)
                continue
            rule_set, executable = compiled
            node = node if node is not None else self._saxon.parse_xml(xml_text=text)
            findings += read_report(executable.transform_to_string(xdm_node=node), root)
            used.append(rule_set)
        return Report(tuple(findings), tuple(used), tuple(missing))

    def _schema(self, name: str) -> etree.XMLSchema:
        if name not in self._schemas:
            self._schemas[name] = etree.XMLSchema(etree.parse(str(xsd_path(name))))
        return self._schemas[name]

    def _xsd_findings(self, root: etree._Element, name: str) -> list[Finding]:
        schema = self._schema(name)
        if schema.validate(root):
            return []
        error = schema.error_log[0]
        return [
            fatal(
                "XSD",
                f"Dokumentet følger ikke UBL-skemaet (linje {error.line}): {error.message}",
                f"The document does not follow the UBL schema (line {error.line}): {error.message}",
                turn=Turn.OPERATOR,
                location=error.path,
            )
        ]

    def _compiled(self, name: str) -> tuple[RuleSet, Any] | None:
        if name not in self._rule_sets:
            rule_set = find_rule_set(name, self.rules_dir)
            self._rule_sets[name] = (rule_set, self._compile(rule_set.path)) if rule_set else None
        return self._rule_sets[name]

    def _compile(self, path: Path) -> Any:
        from saxonche import PySaxonProcessor  # 46 MB: only processes that validate pay for it

        if self._saxon is None:
            self._saxon = PySaxonProcessor(license=False)
        return self._saxon.new_xslt30_processor().compile_stylesheet(stylesheet_file=str(path))


def _unreadable(da: str, en: str, detail: str) -> Finding:
    return Finding("XML", Severity.FATAL, Text(da, en), Turn.OPERATOR, location=detail)


def parse_xml(content: bytes) -> etree._Element | Finding:
    """The root element, or why the bytes are refused: too large, not XML, or with a DOCTYPE."""
    if len(content) > LARGEST_DOCUMENT:
        return _unreadable("Filen er for stor.", "The file is too large.", f"{len(content)} bytes")
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=len(content) > 5_000_000,
    )
    try:
        root = etree.fromstring(content, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        return _unreadable("Filen er ikke gyldig XML.", "The file is not valid XML.", str(error))
    if root.getroottree().docinfo.doctype:
        return _unreadable(
            "Filen har en DOCTYPE, og det tillader vi ikke.", "The file has a DOCTYPE, which is refused.", "DOCTYPE"
        )
    return root


def detect(content: bytes, formats: list[Format]) -> tuple[Format, DocumentType] | Finding:
    """Which format and type a document is, by root element and CustomizationID (BT-24)."""
    root = parse_xml(content)
    if isinstance(root, Finding):
        return root
    document_type = _ROOT_TYPES.get(root.tag)
    customization = root.findtext(
        "{urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2}CustomizationID"
    )
    wanted = "oioubl-2.1" if (customization or "").strip().startswith("OIOUBL") else "peppol-bis-3"
    found = next((item for item in formats if item.id == wanted), None)
    if document_type is None or found is None:
        return _unreadable(
            "Filen er hverken en UBL-faktura eller en UBL-kreditnota.",
            "The file is neither a UBL invoice nor a UBL credit note.",
            str(root.tag),
        )
    return found, document_type
