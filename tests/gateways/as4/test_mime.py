"""Packing and parsing of multipart/related."""

from __future__ import annotations

import base64

import pytest

from invoiceapp.gateways.as4 import mime
from invoiceapp.gateways.as4.errors import MimeInconsistency
from invoiceapp.gateways.as4.mime import Part

SOAP = b"<Envelope/>"
BYTES = bytes(range(256)) + b"\r\n--almost\r\n\r" + b"\n" * 3


def parse(
    body: bytes, content_type: str = 'multipart/related; type="application/soap+xml"; boundary=b'
) -> mime.Package:
    return mime.parse({"content-type": content_type}, body)


def written(*lines: str) -> bytes:
    return "\r\n".join(lines).encode()


GOOD = (
    "--b", "Content-Type: application/soap+xml; charset=UTF-8", "Content-ID: <root@x>", "", "<Envelope/>",
    "--b", "Content-Type: application/octet-stream", "Content-ID: <one@x>", "", "1", "--b--", "",
)  # fmt: skip


def test_what_is_packed_is_parsed_octet_by_octet():
    kind, body = mime.pack(SOAP, [Part("one@x", BYTES), Part("two@x", b"")])
    assert parse(body, kind) == mime.Package(SOAP, (Part("one@x", BYTES), Part("two@x", b"")))


def test_lines_end_as_mime_says_and_no_file_name_is_told():
    kind, body = mime.pack(SOAP, [Part("one@x", b"1")])
    assert body.count(b"\n") == body.count(b"\r\n")
    assert b"filename" not in body
    assert 'type="application/soap+xml"' in kind


def test_a_signal_without_attachments_is_the_envelope_itself():
    kind, body = mime.pack(SOAP, [])
    assert (kind, body) == ("application/soap+xml; charset=UTF-8", SOAP)
    assert parse(body, kind) == mime.Package(SOAP)


@pytest.mark.parametrize(
    "body",
    [
        written(*GOOD),
        written("a preamble that nobody reads", *GOOD),
        written(*GOOD, "and an epilogue"),
        written(*GOOD).replace(b"\r\n", b"\n"),
        written(*GOOD).replace(b"--b--\r\n", b"--b--"),
        written(*GOOD).replace(b"--b\r\n", b"--b  \r\n"),
        written(*GOOD).replace(b"Content-ID", b"content-id"),
        written(*GOOD).replace(b"<one@x>", b"\r\n <one@x>"),
        written(*GOOD).replace(b"\r\n\r\n1", b"\r\nContent-Transfer-Encoding: base64\r\n\r\nMQ=="),
    ],
)
def test_other_ways_to_write_the_same_are_read(body):
    assert parse(body) == mime.Package(SOAP, (Part("one@x", b"1"),))


def test_the_boundary_may_stand_in_quotes_and_hold_what_regular_expressions_mean():
    body = written(*GOOD).replace(b"--b", b"--a+(b)=?")
    assert parse(body, 'multipart/related; boundary="a+(b)=?"').parts[0].content == b"1"


def test_base64_of_a_large_part_is_read():
    body = written(*GOOD).replace(
        b"\r\n\r\n1", b"\r\nContent-Transfer-Encoding: base64\r\n\r\n" + base64.encodebytes(BYTES * 50)
    )
    assert parse(body).parts[0].content == BYTES * 50


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (written(*GOOD), "text/html"),
        (written(*GOOD), "multipart/related"),
        (written(*GOOD), "multipart/related; boundary=other"),
        (written(*GOOD), "multipart/related; boundary=b; start=<one@x>"),
        (written(*GOOD), ""),
    ],
)
def test_a_content_type_that_does_not_fit_is_refused(body, content_type):
    with pytest.raises(MimeInconsistency):
        parse(body, content_type)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        written(*GOOD[:-2]),
        written(*GOOD[5:]),
        written(*GOOD).replace(b"Content-ID: <one@x>\r\n", b""),
        written(*GOOD).replace(b"\r\n\r\n1", b"\r\n1"),
        written(*GOOD).replace(b"\r\n\r\n1", b"\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n1"),
        written(*GOOD).replace(b"\r\n\r\n1", b"\r\nContent-Transfer-Encoding: base64\r\n\r\n?"),
        written(*GOOD[:-2], *GOOD[5:]),
        written(*GOOD[:5], *GOOD[5:10] * 30, "--b--"),
        b"x" * (mime.LARGEST + 1),
    ],
)
def test_a_body_that_is_cut_doubled_or_beyond_all_measure_is_refused(body):
    with pytest.raises(MimeInconsistency):
        parse(body)
