"""What goes over the wire, read by other programs than ours."""

from __future__ import annotations

import base64
import hashlib
import hmac
import io
import subprocess

import pytest
from werkzeug.formparser import FormDataParser

from invoiceapp.gateways.base import Refused
from invoiceapp.gateways.http.request import body_of, headers_of
from invoiceapp.gateways.http.signature import sign


def parsed(body):
    kind, _, boundary = body.media_type.partition("; boundary=")
    parser = FormDataParser(stream_factory=lambda *_, **__: io.BytesIO(), silent=False)
    _, form, files = parser.parse(io.BytesIO(body.content), kind, len(body.content), {"boundary": boundary})
    return form, files


def test_a_raw_body_is_the_document(consignment):
    one = consignment()
    body = body_of(one, {"body": "raw"})
    assert (body.content, body.media_type) == (one.payload.content, "application/xml; charset=utf-8")


def test_a_form_is_read_by_another_parser(consignment):
    one = consignment()
    config = {
        "body": "multipart", "file_field": "dokument[0]", "with_pdf": True, "pdf_field": "bilag",
        "form_fields": 'type=faktura\nnote=Ærø "Brød"; a=b\nna"me=x', "filename": "{number}_{key8}",
    }  # fmt: skip
    form, files = parsed(body_of(one, config))
    assert list(form.items(multi=True)) == [("type", "faktura"), ("note", 'Ærø "Brød"; a=b'), ('na"me', "x")]
    document, pdf = files["dokument[0]"], files["bilag"]
    assert document.read() == one.payload.content
    assert document.filename == f"2026-17_{one.key[:8]}.xml"
    assert document.content_type == "application/xml; charset=utf-8"
    assert pdf.read() == one.companions[0].content
    assert (pdf.filename, pdf.content_type) == (f"2026-17_{one.key[:8]}.pdf", "application/pdf")


def test_the_pdf_stays_at_home_unless_wanted(consignment):
    _, files = parsed(body_of(consignment(), {"body": "multipart"}))
    assert list(files) == ["file"]


def test_a_repetition_is_byte_for_byte_the_same(consignment):
    config = {"body": "multipart", "with_pdf": True}
    assert body_of(consignment(), config) == body_of(consignment(), config)


def test_a_document_that_holds_the_boundary_gets_another_one(consignment):
    one = consignment()
    config = {"body": "multipart", "form_fields": ""}
    boundary = body_of(one, config).media_type.partition("boundary=")[2]
    config["form_fields"] = f"x=\nnote=--{boundary}"
    body = body_of(one, config)
    assert boundary not in body.media_type
    assert parsed(body)[0]["note"] == f"--{boundary}"


@pytest.mark.parametrize(
    ("config", "header", "value"),
    [
        ({"auth": "bearer", "token": " abc.def\n"}, "Authorization", "Bearer abc.def"),
        ({"auth": "header", "auth_header": "X-Key", "auth_value": "k"}, "X-Key", "k"),
        ({"auth": "basic", "username": "ærø", "password": "på:skud"}, "Authorization",
         "Basic " + base64.b64encode("ærø:på:skud".encode()).decode()),
        ({"headers": "X-Tenant: 42"}, "X-Tenant", "42"),
    ],
)  # fmt: skip
def test_the_headers_say_who_we_are(config, header, value):
    assert headers_of(config)[header] == value


@pytest.mark.parametrize("auth", ["none", "certificate", None])
def test_without_need_no_credentials_are_sent(auth):
    sent = headers_of({"auth": auth, "token": "t", "auth_value": "v", "password": "p", "username": "u"})
    assert sent.keys() == {"Accept", "User-Agent"}


@pytest.mark.parametrize(
    "config",
    [
        {"auth": "bearer", "token": "abc\r\nX-Evil: 1"},
        {"auth": "bearer", "token": "hemmelig-ø"},
        {"auth": "bearer"},
        {"auth": "header", "auth_value": "abc\x00def"},
        {"signature": "hmac-sha256", "signature_key": "\n"},
    ],
)
def test_a_secret_that_cannot_stand_in_a_header_is_refused_without_being_shown(config):
    with pytest.raises(Refused) as caught:
        headers_of(config)
    shown = f"{caught.value.text.da} {caught.value.text.en} {caught.value.detail}"
    assert not any(word in shown for word in ("abc", "hemmelig", "Evil"))


def test_the_signature_is_what_openssl_makes_of_it(tmp_path):
    body = b"\x00<Invoice/>\r\n" + bytes(range(256))
    signed = tmp_path / "signed"
    signed.write_bytes(b"1790000000." + body)
    command = ["openssl", "dgst", "-sha256", "-hmac", "delt-noegle", "-r", str(signed)]
    theirs = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[0]
    assert sign("delt-noegle", 1_790_000_000, body) == theirs


def test_the_example_in_the_help_is_right():
    from invoiceapp.gateways import http

    example = sign("hemmelig", 1_767_225_600, b"<Invoice/>")
    for language in ("da", "en"):
        with open(f"{http.__path__[0]}/help.{language}.md", encoding="utf-8") as page:
            assert f"`{example}`" in page.read()


def test_the_signature_covers_time_and_body():
    config = {
        "signature": "hmac-sha256",
        "signature_key": "nøgle",
        "signature_header": "X-Sig",
        "timestamp_header": "X-Time",
    }
    sent = headers_of(config, b"body")
    expected = hmac.new("nøgle".encode(), sent["X-Time"].encode() + b".body", hashlib.sha256).hexdigest()
    assert sent["X-Sig"] == expected
