"""XSD and Schematron, compiled once per process and edition.

Traps that shape this module (docs/decisions/0004): compiling costs seconds, so
it happens once; style sheets are compiled from files, because compiling from
text can kill the process; Saxon resolves external entities, so bytes go
through a hardened lxml parser first and Saxon gets what lxml serialises.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

from lxml import etree

from invoiceapp.domain.findings import Finding, Severity, Text, Turn, has_fatal
from invoiceapp.domain.invoice import DocumentType
from invoiceapp.formats.base import LARGEST_DOCUMENT, Format, Unreadable

from . import catalogue, packs, sheets
from .catalogue import RuleSet, Slot
from .engine import new_saxon
from .reports import read_report, schema_finding

#: Seconds after which RULES_DIR is looked at again, so that a worker takes up a new edition without a restart.
FRESH = 60

_ROOT_TYPES = {
    "{urn:oasis:names:specification:ubl:schema:xsd:Invoice-2}Invoice": DocumentType.INVOICE,
    "{urn:oasis:names:specification:ubl:schema:xsd:CreditNote-2}CreditNote": DocumentType.CREDIT_NOTE,
}
_RSM = "{urn:un:unece:uncefact:data:standard:CrossIndustryInvoice:100}"
_RAM = "{urn:un:unece:uncefact:data:standard:ReusableAggregateBusinessInformationEntity:100}"
_CII_ROOT = f"{_RSM}CrossIndustryInvoice"


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


@dataclass(frozen=True, slots=True)
class _Executable:
    """A compiled sheet, and the processor that its documents must come from."""

    saxon: Any
    run: Any


@dataclass
class Validator:
    """Rules of one process. Not thread-safe: each worker process has its own."""

    rules_dir: Path | None = None
    today: Callable[[], date] = date.today
    """Rules change at midnight where the sender is"""
    pinned: tuple[str, str] | None = None
    """Pack and version that judge whatever their dates say, to try a coming edition"""
    ticks: Callable[[], float] = time.monotonic
    _schemas: dict[str, etree.XMLSchema] = field(default_factory=dict)
    _rule_sets: dict[Slot, RuleSet | None] = field(default_factory=dict)
    _executables: dict[tuple[Path, str], _Executable] = field(default_factory=dict)
    """By path and SHA-256: an edition may be replaced under the same path"""
    _day: date | None = None
    _looked_at: float = -FRESH
    _signature: tuple[tuple[str, int], ...] = ()
    _saxons: dict[bool, Any] = field(default_factory=dict)
    """By whether its sheets may read files"""

    def warm(self, formats: list[Format]) -> None:
        """Compile everything the formats need, before the first document waits for it."""
        self._refresh(self.today())
        for item in formats:
            for schema in item.schemas.values():
                if schema.xsd:
                    self._schema(schema.xsd)
                for slot in catalogue.slots(schema.rules):
                    self._compiled(slot)

    def validate(self, content: bytes, fmt: Format, document_type: DocumentType, on: date | None = None) -> Report:
        """Findings of all layers, by the rules of a day (today); the rule sets run only over what the XSD accepts."""
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
        report = self.judge(root, schema.rules, on)
        return replace(report, findings=(*own, *report.findings))

    def judge(self, root: etree._Element, names: tuple[str, ...], on: date | None = None) -> Report:
        """What rule sets say of an XML document, by the rules of a day (today), without asking for its schema."""
        self._refresh(on or self.today())
        findings: list[Finding] = []
        used: list[RuleSet] = []
        missing: list[str] = []
        text = etree.tostring(root, encoding="unicode")
        nodes: dict[int, Any] = {}
        for slot in catalogue.slots(names):
            compiled = self._compiled(slot)
            if compiled is None:
                missing.append(slot.name)
                continue
            rule_set, executable = compiled
            saxon = executable.saxon
            if id(saxon) not in nodes:
                nodes[id(saxon)] = saxon.parse_xml(xml_text=text)
            findings += read_report(executable.run.transform_to_string(xdm_node=nodes[id(saxon)]), root)
            used.append(rule_set)
        return Report(tuple(findings), tuple(used), tuple(missing))

    def _schema(self, name: str) -> etree.XMLSchema:
        if name not in self._schemas:
            self._schemas[name] = etree.XMLSchema(etree.parse(str(catalogue.xsd_path(name))))
        return self._schemas[name]

    def _xsd_findings(self, root: etree._Element, name: str) -> list[Finding]:
        schema = self._schema(name)
        if schema.validate(root):
            return []
        error = schema.error_log[0]
        return [schema_finding(error.message, error.line, error.path)]

    def _refresh(self, on: date) -> None:
        """Look up again what judges, on another day or when ``RULES_DIR`` has changed, and drop what does no more."""
        now = self.ticks()
        if on == self._day and now - self._looked_at < FRESH:
            return
        self._looked_at = now
        signature = packs.signature(self.rules_dir)
        if (on, signature) == (self._day, self._signature):
            return
        self._day, self._signature = on, signature
        self._rule_sets = {slot: self._find(slot) for slot in self._rule_sets}
        used = {(found.path, found.sha256) for found in self._rule_sets.values() if found}
        self._executables = {key: item for key, item in self._executables.items() if key in used}

    def _find(self, slot: Slot) -> RuleSet | None:
        editions = packs.installed(self.rules_dir, slot.pack) if slot.pack else []
        if self.pinned and self.pinned[0] == slot.pack:
            editions = [
                replace(edition, valid_from=None, valid_to=None)
                for edition in editions
                if edition.version == self.pinned[1]
            ]
        return catalogue.resolve(slot, editions, self._day or self.today())

    def _compiled(self, slot: Slot) -> tuple[RuleSet, _Executable] | None:
        if slot not in self._rule_sets:
            self._rule_sets[slot] = self._find(slot)
        rule_set = self._rule_sets[slot]
        if rule_set is None:
            return None
        if (rule_set.path, rule_set.sha256) not in self._executables:
            # The file may have been replaced since it was looked up; what is recorded is what is compiled.
            content = rule_set.path.read_bytes()
            rule_set = replace(rule_set, sha256=packs.sha256_of(content))
            self._rule_sets[slot] = rule_set
            self._executables[(rule_set.path, rule_set.sha256)] = self._compile(rule_set, content)
        return rule_set, self._executables[(rule_set.path, rule_set.sha256)]

    def _compile(self, rule_set: RuleSet, content: bytes) -> _Executable:
        if rule_set.is_bundled and not sheets.stands_alone(content):
            return self._compile_in_place(rule_set.path, content)
        saxon = self._processor(may_read_files=False)
        with tempfile.TemporaryDirectory() as folder:
            faster = Path(folder) / rule_set.path.name
            faster.write_bytes(content)
            faster.write_bytes(sheets.compact(faster))
            return _Executable(saxon, saxon.new_xslt30_processor().compile_stylesheet(stylesheet_file=str(faster)))

    def _compile_in_place(self, path: Path, content: bytes) -> _Executable:
        """For a sheet of our own packages that reads a code list beside itself."""
        saxon = self._processor(may_read_files=True)
        executable = saxon.new_xslt30_processor().compile_stylesheet(stylesheet_file=str(path))
        if path.read_bytes() != content:
            raise RuntimeError(f"{path.name} was changed while it was compiled")
        return _Executable(saxon, executable)

    def _processor(self, *, may_read_files: bool) -> Any:
        if may_read_files not in self._saxons:
            self._saxons[may_read_files] = new_saxon(may_read_files=may_read_files)
        return self._saxons[may_read_files]


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
    """Which format and type a document is: by root element and CustomizationID (BT-24); a PDF by the XML in it."""
    by_id = {item.id: item for item in formats}
    envelope = by_id.get("facturx") if content.startswith(b"%PDF-") else None
    opened = envelope or by_id["peppol-bis-3"]
    try:
        root = parse_xml(opened.payload(content))
    except Unreadable as error:
        return Finding("XML", Severity.FATAL, error.text, Turn.OPERATOR)
    if isinstance(root, Finding):
        return root
    if root.tag == _CII_ROOT:
        return _detected(root, _cii_type(root), envelope or by_id.get("cii"))
    return _detected(root, _ROOT_TYPES.get(root.tag), by_id.get(_ubl_format(root)))


def _detected(
    root: etree._Element, document_type: DocumentType | None, found: Format | None
) -> tuple[Format, DocumentType] | Finding:
    if document_type is None or found is None:
        return _unreadable(
            "Filen er hverken en faktura eller en kreditnota i UBL eller CII.",
            "The file is neither an invoice nor a credit note in UBL or CII.",
            str(root.tag),
        )
    return found, document_type


def _ubl_format(root: etree._Element) -> str:
    customization = root.findtext(
        "{urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2}CustomizationID"
    )
    return "oioubl-2.1" if (customization or "").strip().startswith("OIOUBL") else "peppol-bis-3"


def _cii_type(root: etree._Element) -> DocumentType:
    """By the document type code (BT-3)."""
    code = root.findtext(f"{_RSM}ExchangedDocument/{_RAM}TypeCode")
    return DocumentType.CREDIT_NOTE if (code or "").strip() == "381" else DocumentType.INVOICE
