"""Signed by this installation, and by nobody else."""

from __future__ import annotations

from io import BytesIO

import pytest
from asn1crypto import pem
from asn1crypto import x509 as asn1_x509
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation import validate_pdf_signature
from pyhanko_certvalidator import ValidationContext
from weasyprint import HTML

from invoiceapp.models import SigningKey, db
from invoiceapp.services import secrets
from invoiceapp.services.proof import signing
from invoiceapp.services.proof.signing import SignatureInvalid

CONTENT = "Månedsbevis".encode() * 100


def test_what_was_signed_here_is_known_again(app):
    signed = signing.verify(CONTENT, signing.sign(CONTENT))
    assert signed.is_ours and signed.fingerprint == signing.fingerprint() and signed.at is not None
    assert db.session.query(SigningKey).count() == 1, "one key, made once"


@pytest.mark.parametrize("at", [0, 500, -1])
def test_a_changed_byte_is_seen(app, at):
    signature, changed = signing.sign(CONTENT), bytearray(CONTENT)
    changed[at] ^= 1
    with pytest.raises(SignatureInvalid):
        signing.verify(bytes(changed), signature)


def test_a_signature_by_another_key_is_none(app):
    signature = signing.sign(CONTENT)
    db.session.query(SigningKey).delete()
    db.session.commit()
    with pytest.raises(SignatureInvalid):
        signing.verify(CONTENT, signature)


@pytest.mark.parametrize("broken", [b"", b"x" * 300, b"0\x82"])
def test_what_is_no_signature_is_refused(app, broken):
    with pytest.raises(SignatureInvalid):
        signing.verify(CONTENT, broken)


def test_another_installation_can_check_with_the_certificate_alone(app):
    signature, certificate = signing.sign(CONTENT), signing.certificate_pem()
    db.session.query(SigningKey).delete()
    db.session.commit()
    signed = signing.verify(CONTENT, signature, certificate)
    assert signed.name.startswith("invoiceapp ") and not signed.is_ours
    with pytest.raises(SignatureInvalid):
        signing.verify(CONTENT + b"x", signature, certificate)


def test_the_key_is_stored_encrypted_and_survives_a_rotation(app):
    signature = signing.sign(CONTENT)
    assert "PRIVATE KEY" not in str(db.session.query(SigningKey).one().secrets)
    done = secrets.rotate()
    assert (done.unreadable, done.current) == ([], 1)
    assert signing.verify(CONTENT, signature).is_ours


def test_a_signed_pdf_is_whole_and_a_change_shows(app):
    plain = HTML(string="<h1>Bevis</h1>").write_pdf()
    signed = signing.sign_pdf(plain, "Månedsbevis")
    assert signed.startswith(plain), "an update behind the bytes"
    found = judged(signed)
    assert found.intact and found.valid and found.trusted and found.coverage.name == "ENTIRE_FILE"
    at = signed.index(b"/Catalog")
    assert not judged(signed[:at] + b"/Cbtalog" + signed[at + 8 :]).intact


def judged(pdf):
    own = asn1_x509.Certificate.load(pem.unarmor(signing.certificate_pem())[2])
    context = ValidationContext(trust_roots=[own], allow_fetching=False)
    return validate_pdf_signature(PdfFileReader(BytesIO(pdf), strict=False).embedded_signatures[0], context)
