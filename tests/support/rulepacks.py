"""Tiny rule packs that are nobody's: sheets of one rule, as folders and as zips."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

PEPPOL = ("CEN-EN16931-UBL", "PEPPOL-EN16931-UBL")
OIOUBL = ("OIOUBL_Invoice_Schematron", "OIOUBL_CreditNote_Schematron")
NEVER = "false()"


def sheet(rule: str = "T-1", test: str = NEVER, head: str = "") -> bytes:
    """Answers with SVRL; the rule is broken where the XPath ``test`` is true."""
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<xsl:stylesheet version="2.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns:svrl="http://purl.oclc.org/dsdl/svrl">
{head}<xsl:template match="/"><svrl:schematron-output><xsl:if test="{test}">
<svrl:failed-assert id="{rule}" flag="fatal" location="/*"><svrl:text>[{rule}]-Broken on purpose.</svrl:text></svrl:failed-assert>
</xsl:if></svrl:schematron-output></xsl:template></xsl:stylesheet>""".encode()


def folder(path: Path, names: tuple[str, ...], suffix: str = ".xslt", content: bytes | None = None) -> Path:
    """A folder with sheets, as an operator puts one into ``RULES_DIR`` by hand."""
    path.mkdir(parents=True, exist_ok=True)
    for name in names:
        (path / f"{name}{suffix}").write_bytes(content or sheet())
    return path


def archive(path: Path, files: dict[str, bytes]) -> Path:
    """A zip or JAR with these files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as target:
        for name, content in files.items():
            target.writestr(name, content)
    path.write_bytes(buffer.getvalue())
    return path


def jar(path: Path, publisher: str, versions: dict[str, bytes], names: tuple[str, ...]) -> Path:
    """Laid out as the phive-rules JARs are."""
    files = {
        f"external/schematron/{publisher}/{version}/xslt/{name}.xslt": content
        for version, content in versions.items()
        for name in names
    }
    return archive(path, files)
