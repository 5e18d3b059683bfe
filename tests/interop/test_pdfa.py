"""veraPDF, the reference judge of PDF/A, on what we call Factur-X."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from invoiceapp.domain.settings import Settings
from invoiceapp.formats.base import registry as formats
from invoiceapp.sources.billy.mapping import convert

CASES = ("mixed_rates", "emoji", "foreign_currency_eur", "credit_with_reference", "reverse_charge", "markup")


@pytest.fixture(scope="session")
def verapdf() -> Path:
    folder = os.environ.get("TEST_VERAPDF")
    if not folder:
        pytest.skip("no veraPDF: run make interop")
    return Path(folder)


def test_every_factur_x_is_a_valid_pdf_a_3b(verapdf: Path, company, tmp_path: Path):
    facturx, pdf = formats()["facturx"], formats()["pdf"]
    for case in CASES:
        invoice = convert(company.bundle(company.hard_cases[case]), Settings()).invoice
        assert invoice is not None
        (tmp_path / f"{case}.pdf").write_bytes(facturx.write(invoice))
    # An ordinary PDF, so that the judge is seen to judge.
    (tmp_path / "ordinary.pdf").write_bytes(pdf.write(invoice))
    names = [f"{case}.pdf" for case in CASES] + ["ordinary.pdf"]
    command = ["java", "-cp", f"{verapdf}/*", str(Path(__file__).parent / "verapdf" / "Check.java"), *names]
    said = subprocess.run(command, check=True, capture_output=True, text=True, timeout=300, cwd=tmp_path).stdout
    verdicts = {line.split(" ", 1)[1]: line.split(" ", 1)[0] for line in said.splitlines() if not line.startswith("  ")}
    assert verdicts.pop("ordinary.pdf") == "broken"
    assert set(verdicts.values()) == {"compliant"}, said
    assert len(verdicts) == len(CASES)
