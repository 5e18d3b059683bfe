"""XML from outside that is read, and XML that is not."""

from __future__ import annotations

import pytest

from invoiceapp.trust.xml import XmlRefused, parse

WSU = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"


def test_a_document_is_read():
    assert parse(b'<a><b Id="1"/><c ID="2" xml:id="c3" other="1"/></a>').tag == "a"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"text",
        b"<a>",
        b"<!DOCTYPE a><a/>",
        b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
        b'<!DOCTYPE a SYSTEM "http://127.0.0.1/a.dtd"><a/>',
        b"<a>&b;</a>",
        b'<a Id="1"><b Id="1"/></a>',
        b'<a Id="1"><b ID="1"/></a>',
        b'<a xml:id="a"><b id="a"/></a>',
        f'<a xmlns:w="{WSU}" w:Id="1"><b Id="1"/></a>'.encode(),
        b"<a>" * 300 + b"</a>" * 300,
    ],
)
def test_what_nobody_honest_sends_is_refused(content):
    with pytest.raises(XmlRefused):
        parse(content)


def test_more_than_the_limit_is_refused():
    assert parse(b"<a/>", most=4).tag == "a"
    with pytest.raises(XmlRefused):
        parse(b"<a />", most=4)


def test_an_error_quotes_nothing_of_the_content():
    with pytest.raises(XmlRefused) as caught:
        parse(b"<a>secret</b>")
    assert "secret" not in str(caught.value)
