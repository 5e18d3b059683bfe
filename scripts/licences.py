"""Whether every installed package has a licence that this product may be passed on with.

``licences.py`` prints what it found and ends with 1 where something must be decided. Run-time packages are those of
requirements.txt; the rest are tools, which are used and never passed on.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).parents[1]
#: Words of licences that ask for no more than their own text.
FREE = (
    "mit", "bsd", "isc", "0bsd", "apache", "python software foundation", "psf", "cnri-python", "unlicense", "public domain",
    "hpnd", "zlib",
)  # fmt: skip
#: Conditions for whoever passes the product on: named in NOTICE, used as separate packages.
WEAK = ("lgpl", "lesser general public", "mpl", "mozilla public")
STRONG = ("agpl", "affero", "gpl", "general public license")
#: By hand, where the metadata says nothing or something odd.
KNOWN = {
    "axe-playwright-python": "MIT",
    "pyftpdlib": "MIT",
    # The file LICENSE is BSD-3-Clause; the classifier means the older pyqrnative inside, which is MIT.
    "qrcode": "BSD-3-Clause AND MIT",
    # Its own texts are these two; PDFium inside is BSD-3-Clause and Apache-2.0 as well.
    "pypdfium2": "BSD-3-Clause AND Apache-2.0",
    "saxonche": "MPL-2.0",
}


@dataclass(frozen=True)
class Package:
    """One installed distribution."""

    name: str
    version: str
    licence: str
    is_tool: bool


def normal(name: str) -> str:
    """A name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def locked(path: Path = ROOT / "requirements.txt") -> set[str]:
    """The names in a lock file."""
    return {normal(name) for name in re.findall(r"^([A-Za-z0-9_.-]+)==", path.read_text(), re.M)}


def licence_of(found: metadata.PackageMetadata) -> str:
    """By our own table, the SPDX expression, the classifiers, or the old field."""
    if by_hand := KNOWN.get(normal(found["Name"])):
        return by_hand
    if expression := found.get("License-Expression"):
        return expression
    listed = [one.rpartition("::")[2].strip() for one in found.get_all("Classifier") or () if one.startswith("License")]
    named = [one for one in listed if one != "OSI Approved"]
    return "; ".join(named) or (found.get("License") or "").strip().partition("\n")[0][:60]


def installed() -> Iterator[Package]:
    """All distributions, by name."""
    run = locked()
    for one in sorted(metadata.distributions(), key=lambda one: normal(one.metadata["Name"])):
        name = normal(one.metadata["Name"])
        yield Package(name, one.version, licence_of(one.metadata), name not in run)


def kind(licence: str) -> str:
    """``free``, ``weak``, ``strong`` or ``unknown``. Of several to choose from, the one that asks for least."""
    offered = [_one(part) for part in re.split(r"\bOR\b|;|/", licence) if part.strip()]
    return min(offered, key=("free", "weak", "strong", "unknown").index) if offered else "unknown"


def _one(licence: str) -> str:
    """Where several hold together, the one that asks for most."""
    found = [_word(part) for part in re.split(r"\bAND\b|,", licence) if part.strip()]
    return max(found, key=("free", "unknown", "weak", "strong").index)


def _word(licence: str) -> str:
    text = licence.lower()
    for name, words in (("weak", WEAK), ("strong", STRONG), ("free", FREE)):
        if any(word in text for word in words):
            return name
    return "unknown"


def problems(packages: list[Package], notice: str) -> list[str]:
    """What must be decided, in words."""
    found = []
    for one in packages:
        said = f"{one.name} {one.version}: {one.licence or 'no licence in its metadata'}"
        what = kind(one.licence)
        if what == "unknown":
            found.append(f"{said} - look it up, and add it to KNOWN in scripts/licences.py")
        elif not one.is_tool and what == "strong":
            found.append(f"{said} - not at run time: the whole product would come under it")
        elif not one.is_tool and what == "weak" and not re.search(rf"(?im)^\s+{re.escape(one.name)}(?![\w-])", notice):
            found.append(f"{said} - name it in NOTICE with its conditions")
    return found


def main() -> int:
    """Print, and tell by the exit code."""
    packages = list(installed())
    for title, is_tool in (("run time", False), ("tools", True)):
        counted = [kind(one.licence) for one in packages if one.is_tool == is_tool]
        print(
            f"{title}: {len(counted)} packages, " + ", ".join(f"{counted.count(k)} {k}" for k in sorted(set(counted)))
        )
    missing = locked() - {one.name for one in packages}
    if missing:
        print(f"not installed on this system: {', '.join(sorted(missing))}")
    found = problems(packages, (ROOT / "NOTICE").read_text())
    print("\n".join(found) or "every licence is known and fits")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
