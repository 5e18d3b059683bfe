"""Feeds the product what no invoice should be, in a process of its own, and prints what became of it as JSON.

``python tests/support/bad_input.py`` prints ``{"outcomes": {case: outcome}, "peak_mb": …}``.
"""

from __future__ import annotations

import copy
import json
import os
import resource
import sys
import tempfile
from collections.abc import Callable, Iterator
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

from invoiceapp.demo.billy.company import demo_company
from invoiceapp.domain.invoice import Attachment, DocumentType
from invoiceapp.domain.settings import settings_from
from invoiceapp.formats.base import Format, Unreadable, registry
from invoiceapp.services import bundles
from invoiceapp.services.export.rendering import render
from invoiceapp.services.export.validators import validator
from invoiceapp.sources.base import UnusableBundle
from invoiceapp.sources.billy.source import BillySource

FORMATS = [item for item in registry().values() if not item.draws]
COMPANY = demo_company(date(2026, 11, 22))
GOOD = COMPANY.bundle(COMPANY.hard_cases["mixed_rates"])
ENTITIES = "".join(f'<!ENTITY a{i} "{f"&a{i - 1};" * 10}">' for i in range(1, 9))
BOMB = f'<!DOCTYPE r [<!ENTITY a0 "ha">{ENTITIES}]><r>&a8;</r>'
EXTERNAL = '<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]><r>&x;</r>'
DEEP = "<a>" * 100_000


def first_line(bundle: dict[str, Any]) -> dict[str, Any]:
    line: dict[str, Any] = bundle["invoice"]["lines"][0]
    return line


def edited(change: Callable[[dict[str, Any]], None]) -> bytes:
    bundle = copy.deepcopy(GOOD)
    change(bundle)
    return json.dumps(bundle, default=str).encode()


def with_lines(bundle: dict[str, Any], *lines: tuple[int, int, str]) -> None:
    """Lines of quantity, whole price and rate (``25`` or ``12``), and a header that fits them."""
    rate = next(row for row in bundle["taxRates"] if str(row["rate"]) == "0.25")
    bundle["taxRates"] = [{**rate, "id": "25"}, {**rate, "id": "12", "rate": 0.12, "name": "12 %"}]
    plain = {**first_line(bundle), "discountMode": None, "discountValue": None}
    bundle["invoice"] |= {
        "taxMode": "excl",
        "lines": [
            {
                **plain,
                "id": str(number),
                "priority": number,
                "quantity": quantity,
                "unitPrice": price,
                "taxRateId": rate,
            }
            for number, (quantity, price, rate) in enumerate(lines, start=1)
        ],
        "amount": sum(quantity * price for quantity, price, _ in lines),
        "tax": sum(quantity * price * int(rate) for quantity, price, rate in lines) / 100,
    }


TEXT = json.dumps(GOOD, default=str).encode()
FILES: dict[str, bytes] = {
    "empty": b"",
    "truncated": TEXT[: len(TEXT) // 2],
    "not an object": b"[1, 2]",
    "binary": os.urandom(10_000),
    "nan": TEXT.replace(b'"quantity": ', b'"quantity": NaN, "was": ', 1),
    "infinity": TEXT.replace(b'"quantity": ', b'"quantity": -Infinity, "was": ', 1),
    "endless exponent": TEXT.replace(b'"quantity": ', b'"quantity": 1e-999999999, "was": ', 1),
    "deep json": b'{"a":' * 200_000,
    "huge quantity": edited(lambda bundle: with_lines(bundle, (10**12, 4, "25"))),
    "huge quantity that does not add up": edited(lambda bundle: first_line(bundle).update(quantity=10**12)),
    "negative huge quantity": edited(lambda bundle: with_lines(bundle, (-(10**12), 4, "25"))),
    "quantity beyond all books": edited(lambda bundle: with_lines(bundle, (10**30, 4, "25"))),
    "note of a megabyte": edited(lambda bundle: bundle["invoice"].update(contactMessage="nøk " * 250_000)),
    "line text of a megabyte": edited(lambda bundle: first_line(bundle).update(description="æ" * 1_000_000)),
    "unknown currency": edited(lambda bundle: bundle["invoice"].update(currencyId="QQQ", exchangeRate=1)),
    "currency of ten letters": edited(lambda bundle: bundle["invoice"].update(currencyId="DANSKE_KR", exchangeRate=1)),
    "two standard rates": edited(lambda bundle: with_lines(bundle, (1, 100, "25"), (1, 100, "12"))),
    "no lines": edited(lambda bundle: bundle["invoice"].update(lines=[])),
    "ten thousand lines": edited(lambda bundle: with_lines(bundle, *[(3, 149, "25")] * 10_000)),
    "numbers as text": edited(lambda bundle: first_line(bundle).update(quantity="three")),
    "null lines": edited(lambda bundle: bundle["invoice"].update(lines=None)),
    "country of markup": edited(lambda bundle: bundle["contact"].update(countryId="<b>")),
    "number of a thousand letters": edited(lambda bundle: bundle["invoice"].update(invoiceNo="9" * 1000)),
    "control characters": edited(lambda bundle: bundle["contact"].update(name="\x00\x1f￾A")),
}
DOCUMENTS: dict[str, bytes] = {
    "xml bomb": BOMB.encode(),
    "external entity": EXTERNAL.encode(),
    "deep xml": DEEP.encode(),
    "no xml": b"%PDF-1.7",
    "random": os.urandom(100_000),
    "unended edifact": b"UNA:+.? 'UNB+UNOC:3+1:14" * 20_000,
}


def judged(fmt: Format, path: Path) -> str:
    try:
        rendered = bundles.convert(bundles.read(path), fmt)
    except UnusableBundle as error:
        return f"refused: {error.text.da}"
    fatal = sorted({finding.rule for finding in rendered.findings if finding.is_fatal})
    return f"blocked: {', '.join(fatal)}" if fatal else "written"


def read_back(fmt: Format, content: bytes) -> str:
    report = validator().validate(content, fmt, DocumentType.INVOICE)
    verdict = f"blocked: {', '.join(sorted({f.rule for f in report.findings if f.is_fatal}))}"
    if fmt.reader is not None:
        try:
            fmt.reader(content)
        except Unreadable as error:
            return f"{verdict}; refused: {error.text.da}"
        return f"{verdict}; read"
    return verdict


def with_large_pdf(fmt: Format) -> str:
    pdf = Attachment("1", "stor.pdf", "application/pdf", bytes(50_000_000))
    rendered = render(
        BillySource, GOOD, settings_from({"general": {"embedPdf": True}}), fmt, validator(), attachments=(pdf,)
    )
    rules = {finding.rule for finding in rendered.findings}
    return "left out" if rendered.may_leave and "IA-ATTACHMENT-SIZE" in rules else f"sent: {sorted(rules)}"


def caught(work: Callable[[], str]) -> str:
    """The outcome; an exception that nobody foresaw is the outcome that the test looks for."""
    try:
        return work()
    except Exception as error:
        return f"traceback: {error!r}"[:300]


def outcomes(folder: Path) -> Iterator[tuple[str, str]]:
    for name, content in FILES.items():
        path = folder / "bundle.json"
        path.write_bytes(content)
        for fmt in FORMATS:
            yield f"{fmt.id}: {name}", caught(partial(judged, fmt, path))
    for fmt in FORMATS:
        for name, content in DOCUMENTS.items():
            yield f"{fmt.id}: {name}", caught(partial(read_back, fmt, content))
        if fmt.id in ("peppol-bis-3", "oioubl-2.1"):
            yield f"{fmt.id}: pdf of 50 MB", caught(partial(with_large_pdf, fmt))


def peak_mb() -> float:
    """The most memory that this process ever had.

    Not by ``getrusage`` on Linux, where a process inherits the peak of the one that started it.
    """
    if sys.platform == "linux":
        status = Path("/proc/self/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 * 1024)


def main() -> None:
    from invoiceapp import create_app

    with tempfile.TemporaryDirectory() as name:
        os.environ["INSTANCE_DIR"] = name
        # One validator, as a worker has it, with the packs that the tests were given.
        os.environ["RULES_DIR"] = os.environ.get("TEST_RULES_DIR") or f"{name}/rules"
        with create_app(pages=False).app_context():
            found = dict(outcomes(Path(name)))
    print(json.dumps({"outcomes": found, "peak_mb": peak_mb()}, ensure_ascii=False, indent=1))


if __name__ == "__main__":
    main()
