from __future__ import annotations

import csv
import hashlib
import io
import re
import tempfile
import zipfile
from datetime import date
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path, PurePosixPath, PureWindowsPath
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.models import Attempt, Document, Receipt, Rendition, db
from invoiceapp.services.errors import Conflict, ServiceError
from invoiceapp.services.export import archive, comparison, events
from invoiceapp.services.keeping import names, readable
from invoiceapp.services.keeping.readable import Choice

HOSTILE = "<script>alert(\"1\")</script> & =cmd|' /C calc'!A0"
S = DeliveryState


class Page(HTMLParser):
    """Tags and links of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.links: list[str] = []
        self.attributes: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _value in attrs}
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]


@pytest.fixture
def sent(ready):
    """``sent(number)``: a document with rendition, PDF, attempt, receipt and timeline."""

    def make(number: str = "1001", **columns: object) -> Document:
        delivery = ready(number, S.DELIVERED, next_at=None)
        document = delivery.document
        document.pdf_sha256, document.bundle = archive.store(b"%PDF"), {"invoice": {"id": "x"}}
        for name, value in columns.items():
            setattr(document, name, value)
        message = archive.store(b"the MDN")
        attempt = Attempt(delivery_id=delivery.id, number=1, fence=1, wire_ids={"name": "a.xml"}, outcome="accepted")
        db.session.add(attempt)
        receipt = {"sha256": message, "verdict": "received"}
        db.session.add(Receipt(delivery_id=delivery.id, kind="mdn", reference=HOSTILE, evidence=receipt))
        events.of_delivery("delivered", delivery, actor=HOSTILE, note=HOSTILE)
        db.session.commit()
        return document

    return make


def contents(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as file:
        assert file.testzip() is None
        return {name: file.read(name) for name in file.namelist()}


def test_everything_of_a_document_is_there_without_a_program(sent, subscription, tmp_path):
    document = sent(customer_name=HOSTILE)
    done = readable.write(tmp_path / "records.zip", Choice(subscription.id))
    found = contents(tmp_path / "records.zip")
    assert (done.documents, done.files, done.missing) == (1, 4, 0)
    folder = f"documents/2026-11/1001-{document.id}"
    assert found[f"{folder}/1-invoice-1001.xml"] == b"<Invoice>1001</Invoice>"
    assert found[f"{folder}/2-1001.pdf"] == b"%PDF" and found[f"{folder}/3-receipt-mdn.txt"] == b"the MDN"
    assert b'"id":"x"' in found[f"{folder}/source.json"]
    page = found[f"{folder}/index.html"].decode()
    for words in (
        "1001",
        "125,00 DKK",
        "Eksempel ApS",
        "12345674",
        "5798000000001",
        "a.xml",
        "verdict",
        "Modtaget / Received",
    ):
        assert words in page
    assert "Danish" in found["README.txt"].decode() and "dansk tid" in found["README.txt"].decode()


def test_a_page_has_lines_receipts_and_times_in_words(sent, subscription, tmp_path, monkeypatch):
    line = SimpleNamespace(
        item=SimpleNamespace(name=HOSTILE), quantity=Decimal(3), unit="HUR", price=Decimal("9011.163"),
        net_amount=Decimal("27033.49"),
    )  # fmt: skip
    invoice = SimpleNamespace(lines=(line,), currency="DKK")
    monkeypatch.setattr(comparison, "as_stored", lambda _document: invoice)
    sent(issue_date=date(2026, 11, 9), approved_at="2026-11-09T09:12:00+00:00")
    readable.write(tmp_path / "records.zip", Choice(subscription.id))
    found = contents(tmp_path / "records.zip")
    [page] = [text.decode() for name, text in found.items() if name.startswith("documents/") and name.endswith(".html")]
    for told in (
        "3,00 timer",
        "27.033,49 DKK",
        "9.011,163",
        "9. nov. 2026 kl. 10.12",
        "Modtagerens kvittering (MDN) / The receiver",
    ):
        assert told in page
    assert "Status / Status" not in re.sub(r"<[^>]*>", "", page)
    assert "Linjer" in page and "dansk tid" in found["index.html"].decode()


def test_what_was_fetched_and_cannot_be_read_any_more_has_no_lines(sent, subscription, tmp_path):
    sent()
    readable.write(tmp_path / "records.zip", Choice(subscription.id))
    assert not any(b"Vare eller ydelse" in text for text in contents(tmp_path / "records.zip").values())


def test_no_page_holds_a_script_or_reaches_out_and_every_link_leads_somewhere(sent, subscription, tmp_path):
    sent(customer_name=HOSTILE)
    readable.write(tmp_path / "records.zip", Choice(subscription.id))
    found = contents(tmp_path / "records.zip")
    pages = {name: Page(content.decode()) for name, content in found.items() if name.endswith(".html")}
    assert len(pages) == 3
    for name, page in pages.items():
        assert "script" not in page.tags and not {one for one in page.attributes if one.startswith("on")}
        for link in page.links:
            target = PurePosixPath(name).parent / link
            parts: list[str] = []
            for part in target.parts:
                parts = parts[:-1] if part == ".." else [*parts, part]
            assert "/".join(parts) in found, link
    assert "&lt;script&gt;" in found["months/2026-11.html"].decode()


def test_the_spreadsheet_has_a_line_for_each_and_no_formula(sent, subscription, tmp_path):
    sent("1"), sent("2", customer_name="=1+1", issue_date=date(2026, 10, 1))
    readable.write(tmp_path / "records.zip", Choice(subscription.id))
    text = contents(tmp_path / "records.zip")["documents.csv"].decode("utf-8-sig")
    lines = list(csv.reader(io.StringIO(text), delimiter=";"))
    assert lines[0][0] == "Fakturatype / Type (type)"
    assert (
        [line[1] for line in lines] == ["Nummer / Number (number)", "2", "1"]
        and lines[1][3] == "'=1+1"
        and lines[1][8] == "125,00"
    )


def test_the_manifest_names_every_file_with_its_sum(sent, subscription, tmp_path):
    sent()
    readable.write(tmp_path / "records", Choice(subscription.id))
    root = tmp_path / "records"
    lines = dict(reversed(line.split("  ", 1)) for line in (root / "manifest.sha256").read_text().splitlines())
    files = {str(path.relative_to(root)): path for path in root.rglob("*") if path.is_file()}
    assert set(lines) | {"manifest.sha256"} == set(files)
    assert all(hashlib.sha256(files[name].read_bytes()).hexdigest() == digest for name, digest in lines.items())


def test_a_period_and_an_adaptor_are_chosen(sent, subscription, adaptor, tmp_path):
    (
        sent("1", issue_date=date(2026, 1, 31)),
        sent("2", issue_date=date(2026, 2, 1)),
        sent("3", issue_date=date(2026, 3, 1)),
    )
    chosen = Choice(subscription.id, adaptor.id, date(2026, 2, 1), date(2026, 2, 28))
    assert readable.write(tmp_path / "a.zip", chosen).documents == 1 == readable.count(chosen)
    assert readable.write(tmp_path / "b.zip", Choice(subscription.id, "another")).documents == 0
    with pytest.raises(ServiceError):
        readable.write(tmp_path / "c.zip", Choice("nobody"))
    assert not (tmp_path / "c.zip").exists()


def test_a_missing_file_is_said_on_the_page(sent, subscription, config, tmp_path):
    sent()
    name = db.session.query(Rendition.sha256).scalar()
    (config.archive_dir / name[:2] / name[2:4] / name).unlink()
    done = readable.write(tmp_path / "records.zip", Choice(subscription.id))
    pages = [
        page.decode()
        for path, page in contents(tmp_path / "records.zip").items()
        if "/1001-" in path and path.endswith("index.html")
    ]
    assert done.missing == 1 and "mangler i arkivet" in pages[0]


def test_a_folder_that_holds_something_is_left_alone(subscription, tmp_path):
    (tmp_path / "mine.txt").write_text("x")
    with pytest.raises(Conflict):
        readable.write(tmp_path, Choice(subscription.id))


def test_a_thousand_documents_are_written_chunk_by_chunk(sent, make_document, subscription, tmp_path, monkeypatch):
    monkeypatch.setattr(readable, "CHUNK", 3)
    document = sent("0")
    customer = db.session.get_one(type(document).customer.property.mapper.class_, document.customer_id)
    for number in range(1, 8):
        make_document(customer, str(number))
    assert readable.write(tmp_path / "records.zip", Choice(subscription.id)).documents == 8


_DEVICE = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?")
_NAMES = st.one_of(
    st.text(max_size=300),
    st.sampled_from(["..", "../../etc/passwd", "CON", "nul.xml", "a" * 500, "C:\\x", "COM1.pdf", ".", "", "-", "x.\x00pdf", "fil.. ", "\ud800", "a/b.xml"]),
)  # fmt: skip


@given(_NAMES, st.integers(1, 99))
@settings(max_examples=300, deadline=None)
def test_names_are_safe_everywhere(text, position):
    for name in (names.safe(text), names.folder(text, "01M844RBBYM0JQ52VYEP5DVZM0"), names.file(position, text)):
        assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]*", name) and len(name) <= 80
        assert not _DEVICE.fullmatch(name) and not name.endswith(".") and name != ".."
        assert PureWindowsPath(name).name == name == PurePosixPath(name).name


@given(_NAMES)
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_hostile_name_stays_in_its_place_and_is_shown_as_text(sent, subscription, text):
    visible = text.replace("\x00", "").encode("utf-8", "replace").decode()[:97]
    document = sent(f"{visible}<i>")
    with tempfile.TemporaryDirectory() as folder:
        readable.write(Path(folder) / "out", Choice(subscription.id))
        for path in (Path(folder) / "out").rglob("*.html"):
            assert "i" not in Page(path.read_text()).tags
        assert all(path.is_relative_to(folder) for path in Path(folder).rglob("*"))
    assert document.id
