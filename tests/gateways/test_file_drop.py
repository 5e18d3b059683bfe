from __future__ import annotations

from typing import Any

from invoiceapp.domain.file_names import FileName
from invoiceapp.gateways.base import Consignment, Payload
from invoiceapp.gateways.file_drop import remote_files
from invoiceapp.gateways.sftp import SftpTransport

XML, PDF = Payload(b"<a/>", "invoice-7.xml", "application/xml"), Payload(b"%PDF", "invoice-7.pdf", "application/pdf")
VALUES = {"type": "invoice", "number": "7", "date": "2026-11-02", "customer": "Skolen", "order": "PO-1"}


def names(config: dict[str, Any], **fields: Any) -> list[str]:
    values = {"key": "mfrggzdfmztwq2lk", "payload": XML, "document_no": "7", **fields}
    return [file.path for file in remote_files(Consignment(**values), config)]


def test_without_a_customers_template_the_gateways_names_stay_as_they_were():
    assert names({}) == ["invoice_7_mfrggzdf.xml"]
    assert names({"filename": "{number}", "folder": "/ind"}, document_no="2026-17") == ["/ind/2026-17.xml"]
    assert names({}, document_type="creditNote") == ["creditNote_7_mfrggzdf.xml"]


def test_the_gateways_template_may_use_every_token():
    template = {"filename": "{date}-{customer}-{order}-{customer-number}-{number}"}
    assert names(template, file_name=FileName(None, VALUES)) == ["2026-11-02-Skolen-PO-1-7.xml"]


def test_a_customers_template_goes_before_the_gateways_also_for_the_pdf():
    own = FileName("{order}-{number}", VALUES)
    assert names({"with_pdf": True}, companions=(PDF,), file_name=own) == ["PO-1-7.xml", "PO-1-7.pdf"]


def test_the_same_key_gives_the_same_wire_id_and_another_key_another_one():
    def wire(key: str) -> dict[str, str]:
        consignment = Consignment(key=key, payload=XML, file_name=FileName("{number}-{key8}", VALUES))
        return SftpTransport({}).wire_ids(consignment)

    assert wire("mfrggzdfmztwq2lk") == wire("mfrggzdfmztwq2lk") == {"filename": "7-mfrggzdf.xml"}
    assert wire("aaaaaaaamztwq2lk") == {"filename": "7-aaaaaaaa.xml"}


def test_numbers_that_the_server_cannot_tell_apart_get_names_of_their_own():
    template = {"filename": "{number}", "with_pdf": True}
    assert names(template, document_no="12-3") == ["12-3.xml"]
    assert names(template, document_no="12/3", companions=(PDF,)) == ["12-3-mfrggzdf.xml", "12-3-mfrggzdf.pdf"]
    own = FileName("{number}", {"number": "12.3."})
    assert names({}, file_name=own) == ["12.3-mfrggzdf.xml"], "the customer's own template too"
