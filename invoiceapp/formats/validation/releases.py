"""What a release holds: which packs in which versions, and the sheets with all that they read."""

from __future__ import annotations

import posixpath
import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import PurePosixPath

from lxml import etree

from invoiceapp.domain.findings import Text

from . import packs
from .packs import PACKS, Pack, natural, required
from .unpack import PackRefused, Release

_XSL = "{http://www.w3.org/1999/XSL/Transform}"
_VERSION = re.compile(r"v?(\d+(?:\.\d+)+(?:-?rc\d*)?)", re.IGNORECASE)
#: Three numbers at most: OIOUBL's zips are named …_v1.13.2.50919c6.zip, which ends in a hash.
_VERSION_IN_NAME = re.compile(r"(?:^|[_\-v])(\d+\.\d+(?:\.\d+)?(?:[.\-]?rc\d*)?)", re.IGNORECASE)
#: Where the phive-rules JARs keep each pack. Their other folders hold sheets of the same name for other countries.
_PHIVE = {"peppol": "external/schematron/openpeppol/", "oioubl": "external/schematron/oioubl/"}
#: OIOUBL 2.0.2 is an old numbering and OIOUBL 3 was cancelled: both look newer than 1.17 and are not.
_CURRENT = {"oioubl": re.compile(r"1\.")}
#: OpenPeppol counts releases as 3.0.x and names them by month; editions are named by month.
_PEPPOL_NAMES = {"3.0.17": "2024.5", "3.0.18": "2024.11", "3.0.19": "2025.5", "3.0.20": "2025.11", "3.0.21": "2026.5"}

#: Functions by which a sheet could read files of this machine. Between name and bracket a comment would begin with a
#: bracket too. The engine is forbidden to read as well (``engine.py``); this says so to the operator.
_READS = re.compile(
    r"(?<![\w.-])(document|doc|doc-available|collection|uri-collection|unparsed-text|unparsed-text-lines"
    r"|unparsed-text-available|json-doc|transform|load-xquery-module|function-lookup"
    r"|environment-variable|available-environment-variables)\s*[(#]"
)
#: Instructions that read or write further files; only this search keeps a sheet from writing.
_FORBIDDEN_ELEMENTS = frozenset(
    _XSL + name
    for name in (
        "import", "include", "import-schema", "use-package", "result-document", "source-document", "stream",
        "merge-source", "evaluate",
    )
)  # fmt: skip
_XML_BASE = "{http://www.w3.org/XML/1998/namespace}base"


@dataclass(frozen=True, slots=True)
class Candidate:
    """An edition inside a release; ``files`` are the release's names by the names that they will have."""

    pack: str
    version: str | None
    folder: str
    files: dict[str, str]


def find(release: Release, archive_name: str, pack: str | None, version: str | None) -> Candidate:
    """The one edition to install. Raises ``PackRefused`` where there is none, or more than one to choose from."""
    found = [item for item in _candidates(release, archive_name) if pack in (None, item.pack)]
    if not found:
        raise _nothing(release, pack)
    if len({item.pack for item in found}) > 1:
        names = ", ".join(sorted({item.pack for item in found}))
        raise PackRefused(
            Text(f"Filen har flere pakker: vælg med --pack ({names}).", f"It holds several packs: choose one with --pack ({names}).")
        )  # fmt: skip
    chosen = _of_version(found, version)
    same = [item for item in chosen if item.version == chosen[0].version]
    if len(same) > 1 and len({_content(release, item) for item in same}) > 1:
        raise PackRefused(
            Text(
                f"Reglerne findes flere gange med forskelligt indhold: {', '.join(item.folder for item in same)}. Angiv én mappe.",
                f"The rules are there several times with different content: {', '.join(item.folder for item in same)}. Name one folder.",
            )
        )
    return same[0]


def _of_version(found: list[Candidate], version: str | None) -> list[Candidate]:
    """The candidates of the wanted version, else the newest, which is neither a draft nor withdrawn; newest first."""
    if version is None:
        named = [item for item in found if item.version and _is_current(item.pack, item.version)]
        named.sort(key=lambda item: natural(item.version or ""), reverse=True)
        if named:
            return named
        raise PackRefused(
            Text(
                "Filen siger ikke, hvilken version reglerne har. Angiv den med --version, for eksempel --version 2026.5.",
                "It does not say which version the rules are. Give it with --version, for example --version 2026.5.",
            )
            if not any(item.version for item in found)
            else _choose_version(found)
        )
    exact = [item for item in found if item.version == version]
    unnamed = [Candidate(item.pack, version, item.folder, item.files) for item in found if item.version is None]
    if not (exact or unnamed):
        raise PackRefused(_choose_version(found))
    return exact or unnamed


def _choose_version(found: list[Candidate]) -> Text:
    versions = ", ".join(sorted({item.version for item in found if item.version}, key=natural))
    return Text(f"Vælg en version med --version: {versions}.", f"Choose one with --version: {versions}.")


def _is_current(pack: str, version: str) -> bool:
    is_draft = re.search(r"rc", version, re.IGNORECASE) is not None
    return not is_draft and (pack not in _CURRENT or _CURRENT[pack].match(version) is not None)


def _candidates(release: Release, archive_name: str) -> list[Candidate]:
    by_folder: dict[str, dict[str, str]] = defaultdict(dict)
    for name in release.names:
        folder, file = posixpath.split(name)
        stem, suffix = posixpath.splitext(file)
        if suffix.lower() in (".xsl", ".xslt"):
            by_folder[folder][stem.lower()] = name
    is_phive = any(place in f"{folder}/" for folder in by_folder for place in _PHIVE.values())
    found = []
    for folder, sheets in sorted(by_folder.items()):
        for pack in PACKS.values():
            if is_phive and _PHIVE[pack.id] not in f"{folder}/":
                continue
            if all(sheet.lower() in sheets for sheet in required(pack)):
                files = {f"{s}.xslt": sheets[s.lower()] for s in pack.sheets if s.lower() in sheets}
                found.append(Candidate(pack.id, _version(pack, folder, archive_name), folder, files))
    return found


def _version(pack: Pack, folder: str, archive_name: str) -> str | None:
    """By the folder that is named after it, else by the archive's name."""
    for part in reversed(PurePosixPath(folder).parts):
        found = _VERSION.fullmatch(part)
        if found:
            return _renamed(pack, found.group(1))
    in_name = _VERSION_IN_NAME.findall(archive_name)
    return _renamed(pack, in_name[-1]) if in_name else None


def _renamed(pack: Pack, version: str) -> str:
    return _PEPPOL_NAMES.get(version, version) if pack.id == "peppol" else version


def _content(release: Release, candidate: Candidate) -> str:
    return "".join(packs.sha256_of(release.read(name)) for name in candidate.files.values())


def _nothing(release: Release, pack: str | None) -> PackRefused:
    sources = [name for name in release.names if re.search(r"(PEPPOL-EN16931|OIOUBL_\w+).*\.sch$", name)]
    if sources:
        return PackRefused(
            Text(
                "Filen har kun Schematron-kilder (.sch). Der skal bruges regler, der er oversat til XSLT: for Peppol kommer de med "
                "`make rulepacks`, for OIOUBL ligger de i mappen Stylesheets i den officielle zip-fil.",
                "It holds Schematron sources (.sch) only. Rules compiled to XSLT are needed: for Peppol they come with "
                "`make rulepacks`, for OIOUBL they lie in the folder Stylesheets of the official zip.",
            )
        )
    wanted = [PACKS[pack]] if pack else list(PACKS.values())
    sheets = "; ".join(f"{item.id}: {', '.join(f'{sheet}.xslt' for sheet in required(item))}" for item in wanted)
    return PackRefused(
        Text(
            f"Der er ingen officielle regler i filen. Der ledes efter {sheets}.",
            f"It holds no official rules. Looked for {sheets}.",
        )
    )


def collect(release: Release, candidate: Candidate) -> dict[str, bytes]:
    """The sheets by the names under which they are installed.

    Raises ``PackRefused`` for sheets that are broken, have a DOCTYPE, or would read or write files.
    """
    collected = {target: release.read(name) for target, name in candidate.files.items()}
    for target, name in candidate.files.items():
        _check(name, _parsed(name, collected[target]))
    return collected


def _parsed(name: str, content: bytes) -> etree._Element:
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False, huge_tree=True
    )
    try:
        root = etree.fromstring(content, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise PackRefused(
            Text(f"{name} er ikke gyldig XML: {error}.", f"{name} is not valid XML: {error}.")
        ) from error  # fmt: skip
    if root.getroottree().docinfo.doctype:
        raise PackRefused(
            Text(f"{name} har en DOCTYPE, og det tillader vi ikke.", f"{name} has a DOCTYPE, which is refused.")
        )
    return root


def _reads_elsewhere(name: str, what: str) -> PackRefused:
    shown = what[:100]
    return PackRefused(
        Text(
            f"{name} er afvist: den læser eller skriver andre filer med »{shown}«. Officielle regler er hele i én fil.",
            f"{name} is refused: it reads or writes other files by “{shown}”. Official rules are whole in one file.",
        )
    )


def _check(name: str, root: etree._Element) -> None:
    """Refuse a sheet that would read or write anything but the document that it judges."""
    for element in root.iter(etree.Element):
        if element.tag in _FORBIDDEN_ELEMENTS:
            raise _reads_elsewhere(name, etree.QName(element).localname)
        for key, value in element.attrib.items():
            if _is_hidden(element, str(key)):
                raise _reads_elsewhere(name, etree.QName(key).localname)
            call = _READS.search(str(value))
            if call:
                raise _reads_elsewhere(name, str(value)[call.start() :])


def _is_hidden(element: etree._Element, attribute: str) -> bool:
    """Whether an attribute moves expressions or addresses to where they are not searched. No official sheet does it."""
    own = attribute.removeprefix(_XSL) if attribute.startswith(_XSL) or str(element.tag).startswith(_XSL) else ""
    # XSLT 3: text may hold expressions, and _select="…" is computed when the sheet is compiled.
    return attribute == _XML_BASE or own == "expand-text" or own.startswith("_")
