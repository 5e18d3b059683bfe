"""Documents and names that attack whoever reads them, at every door through which they come in.

The doors are the fuzz targets (fuzz/targets): a new parser gets these attacks by itself.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from flask.testing import FlaskClient

from fuzz.engine import Target, judged
from fuzz.targets import TARGETS
from fuzz.targets.answers import CONSIGNMENT
from invoiceapp.domain.file_names import FileName, safe_filename
from invoiceapp.gateways.base import Payload
from invoiceapp.gateways.dropbox import paths as dropbox
from invoiceapp.gateways.file_drop import remote_files
from invoiceapp.services.configuration.certificate_files import FileUnusable, read_certificate, read_pair

CANARY = "S3CR3T-of-this-machine"
#: These read XML on their way to the parser themselves.
_SIGNING = {"smp-service-signed"}
XML = {name: one for name, one in TARGETS.items() if one.kind == "xml" and name not in _SIGNING}
NESTED = b"<a>" * 100_000 + b"</a>" * 100_000
TOO_MUCH = 101_000_000


def _dtd(declared: str, content: bytes) -> bytes:
    """A good document with a document type before its root, and ``&x;`` in its first text."""
    body = content.partition(b"?>")[2] if content.startswith(b"<?xml") else content
    name = re.search(rb"<([A-Za-z0-9:]+)", body)
    assert name is not None
    doctype = f"<!DOCTYPE {name[1].decode()} {declared}>".encode()
    return doctype + re.sub(rb">([^<>\s]+)<", rb">&x;\1<", body, count=1)


def _attacks(secret: Path) -> dict[str, str]:
    laughs = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10))
    return {
        "xxe": f'[<!ENTITY x SYSTEM "{secret.as_uri()}">]',
        "parameter entity": f'[<!ENTITY % p SYSTEM "{secret.as_uri()}"> %p;]',
        "external dtd": f'SYSTEM "{secret.as_uri()}"',
        "dtd out there": 'PUBLIC "-//X" "http://127.0.0.1:9/x.dtd"',
        "billion laughs": f'[<!ENTITY a0 "ha">{laughs}<!ENTITY x "&a9;">]',
        "quadratic blow-up": f'[<!ENTITY b "{"ha" * 50_000}"><!ENTITY x "{"&b;" * 5_000}">]',
        "harmless": '[<!ENTITY x "text">]',
    }


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "secret.txt"
    path.write_text(CANARY)
    return path


def answered(target: Target, content: bytes) -> Any:
    try:
        return target.run(content)
    except target.refusals as error:
        return error


@pytest.mark.parametrize("target", XML.values(), ids=XML)
def test_a_document_type_is_refused_and_nothing_is_fetched_or_unfolded(target: Target, secret: Path) -> None:
    seed = next(iter(target.seeds()))
    good = judged(target, seed).label
    for name, declared in _attacks(secret).items():
        content = _dtd(declared, seed)
        outcome = judged(target, content)
        assert (outcome.finding, outcome.detail) == ("", ""), name
        assert outcome.label != good, name
        assert CANARY not in repr(answered(target, content)), name


@pytest.mark.parametrize("target", XML.values(), ids=XML)
@pytest.mark.parametrize("content", [NESTED, b"<a>" * 100_000], ids=["whole", "cut"])
def test_endless_nesting_is_refused(target: Target, content: bytes) -> None:
    outcome = judged(target, content)
    assert (outcome.finding, outcome.detail) == ("", "")


@pytest.fixture(scope="module")
def blanks() -> bytes:
    return b" " * TOO_MUCH


@pytest.mark.parametrize("name", [name for name in XML if name != "as4-inside"])
def test_a_hundred_megabytes_are_refused_before_they_are_parsed(name: str, blanks: bytes) -> None:
    seed = next(iter(XML[name].seeds()))
    good = judged(XML[name], seed).label
    outcome = judged(XML[name], seed + blanks)
    assert (outcome.finding, outcome.detail) == ("", "")
    assert outcome.label != good


PNG = b"\x89PNG\r\n\x1a\n" + b"\x00\x00\x00\rIHDR" + bytes(400)


@pytest.mark.parametrize("content", [PNG, b"%PDF-1.7\n%\xe2\xe3", b"PK\x03\x04" + bytes(60), b"<svg onload='x'/>"])
def test_a_file_is_what_is_in_it_and_not_what_it_is_called(content: bytes) -> None:
    with pytest.raises(FileUnusable):
        read_certificate(content)
    with pytest.raises(FileUnusable):
        read_pair(content, "")


NAMES = (
    "../../etc/passwd", "..", ".", "/etc/passwd", "C:\\windows\\x", "\\\\server\\share", "a\x00b", "a\r\nSITE CHMOD 777 b",
    "-rf", "~root", ".ssh/authorized_keys", "CON", "nul", "com1", "LPT9.txt", "Aux", "x" * 5_000, "\u202egnp.exe", "a/b",
    "%2e%2e%2f", "{key8}", "$(id)", "`id`", "; rm -rf /", "\ud800", "…", " ", "",
)  # fmt: skip
DEVICE = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?")


def require_plain(name: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]*", name)
    assert not DEVICE.fullmatch(name)
    assert len(name) < 200


@pytest.mark.parametrize("number", NAMES)
@pytest.mark.parametrize("template", ["{number}", "{number}.{key8}", "{type}_{number}", "{customer}-{number}"])
def test_a_number_of_a_document_never_leads_out_of_the_receivers_folder(number: str, template: str) -> None:
    values = {"number": number, "type": "faktura", "customer": number}
    consignment = _with(number, FileName(template, values))
    for file in remote_files(consignment, {"folder": "ind/fakturaer", "with_pdf": True}):
        for path in (file.path, file.part):
            assert PurePosixPath(path).parent == PurePosixPath("ind/fakturaer")
        require_plain(PurePosixPath(file.path).name)


def _with(name: str, file_name: FileName) -> Any:
    pdf = Payload(b"%PDF-1.7", f"{name}.pdf", "application/pdf")
    payload = Payload(b"<Invoice/>", f"{name}.xml", "application/xml")
    return replace(CONSIGNMENT, payload=payload, companions=(pdf,), file_name=file_name, document_no=name)


@pytest.mark.parametrize("text", NAMES)
def test_a_download_is_called_by_plain_letters(text: str) -> None:
    require_plain(safe_filename(text))


@pytest.mark.parametrize("customer", NAMES)
def test_a_customers_name_never_leads_out_of_the_folder_in_dropbox(customer: str) -> None:
    consignment = replace(
        _with("2026-17", FileName(None, {"number": "2026-17", "customer": customer})), receiver_name=customer
    )
    for file in dropbox.files(consignment, {"folder": "/firma/{customer}/ind"}):
        inside = PurePosixPath(file.path).parts
        assert inside[:2] == ("/", "firma") and inside[-2] == "ind" and len(inside) <= 5
        for name in inside[1:]:
            require_plain(name)


def test_what_is_larger_than_the_cap_is_answered_by_a_page(client: FlaskClient) -> None:
    answer = client.post("/login", data={"email": "x" * 5_000_000})
    assert answer.status_code == 413
    assert b"<h1" in answer.data
