"""The vendored files are the ones that README.md lists, and pages use those."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

import invoiceapp

PACKAGE = Path(invoiceapp.__file__).parent
VENDOR = PACKAGE / "static" / "vendor"
README = (VENDOR / "README.md").read_text(encoding="utf-8")
LISTED = re.findall(r"^\| `([^`]+)` \|.*`(LICENSE[^`]+)` \| ([0-9a-f]{64}) \|$", README, re.MULTILINE)
TEMPLATES = {file: file.read_text(encoding="utf-8") for file in (PACKAGE / "templates").rglob("*.html")}
SPRITE_ICONS = {symbol.get("id") for symbol in ElementTree.parse(VENDOR / "tabler-icons-3.51.0.svg").getroot()}


@pytest.mark.parametrize(("name", "licence", "sha256"), LISTED)
def test_listed_file_has_its_hash_and_its_licence(name: str, licence: str, sha256: str) -> None:
    assert hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() == sha256
    assert (VENDOR / licence).is_file()


def test_nothing_is_vendored_that_the_readme_does_not_list() -> None:
    assert {file.name for file in VENDOR.iterdir()} == {
        "README.md",
        *(name for name, _, _ in LISTED),
        *(licence for _, licence, _ in LISTED),
    }


def test_templates_name_only_static_files_that_exist() -> None:
    named = {name for text in TEMPLATES.values() for name in re.findall(r"filename='([^']+)'", text)}
    assert named >= {"app.css", "app.js", "theme.js", *(f"vendor/{name}" for name, _, _ in LISTED)}
    assert [name for name in named if not (PACKAGE / "static" / name).is_file()] == []


def test_templates_name_only_icons_of_the_sprite() -> None:
    named = {name for text in TEMPLATES.values() for name in re.findall(r"""\bicon\(["']([a-z0-9-]+)["']""", text)}
    assert named
    assert named <= SPRITE_ICONS


@pytest.mark.parametrize(
    "forbidden",
    [r"\sstyle=", r"<style", r"<script(?! src=)", r"\son[a-z]+=", r"hx-on", r"hx-vars", r"javascript:", r"""["']js:"""],
)
def test_templates_hold_nothing_that_the_content_security_policy_would_block(forbidden: str) -> None:
    # A mail and a printed paper are no pages: they bring their own looks.
    pages = {file: text for file, text in TEMPLATES.items() if file.parent.name not in ("mail", "paper")}
    found = [file.name for file, text in pages.items() if re.search(forbidden, text)]
    assert found == []
