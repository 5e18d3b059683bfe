from __future__ import annotations

import subprocess
from datetime import UTC, datetime, timedelta

import pytest
from asn1crypto import keys
from asn1crypto import pem as asn1_pem
from asn1crypto import pkcs12 as asn1
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
    pkcs7,
)
from cryptography.x509.oid import ExtensionOID, NameOID
from support.certified import certificate, elliptic, key, key_pem, p12, pem

from invoiceapp.services.configuration import certificate_files
from invoiceapp.services.configuration.certificate_files import FileUnusable, new_pair, read_certificate, read_pair

#: How other programs write keys: PKCS#8, and the older form of OpenSSL.
OLD = PrivateFormat.TraditionalOpenSSL


def der(one: x509.Certificate) -> bytes:
    return one.public_bytes(Encoding.DER)


def test_a_new_pair_is_rsa_3072_for_three_years_signed_by_itself() -> None:
    pair = new_pair("ACME", "Eksempel ApS")
    made = x509.load_pem_x509_certificate(pair.certificate.encode())
    private = load_pem_private_key(pair.key.encode(), None)
    assert isinstance(private, rsa.RSAPrivateKey) and private.key_size == 3072
    assert made.public_key() == private.public_key()
    private.public_key().verify(
        made.signature, made.tbs_certificate_bytes, padding.PKCS1v15(), made.signature_hash_algorithm
    )
    assert isinstance(made.signature_hash_algorithm, hashes.SHA256)
    assert made.subject == made.issuer
    assert [one.value for one in made.subject] == ["ACME", "Eksempel ApS"]
    usage = made.extensions.get_extension_for_oid(ExtensionOID.KEY_USAGE).value
    assert usage.digital_signature and usage.key_encipherment and not usage.key_cert_sign
    left = made.not_valid_after_utc - datetime.now(UTC)
    assert timedelta(days=1094) < left < timedelta(days=1096)
    assert made.not_valid_before_utc < datetime.now(UTC)
    assert new_pair("ACME", "").certificate != pair.certificate


def test_a_new_pair_takes_long_names_and_odd_letters() -> None:
    made = x509.load_pem_x509_certificate(new_pair("x" + "Æ" * 200, "").certificate.encode())
    assert [one.value for one in made.subject.get_attributes_for_oid(NameOID.COMMON_NAME)] == ["x" + "Æ" * 31]


def test_a_pair_shows_no_key_where_it_is_printed() -> None:
    assert "PRIVATE" not in repr(new_pair("x", ""))


@pytest.mark.parametrize(
    "form",
    [
        der,
        pem,
        lambda one: b"Bag Attributes\r\n    friendlyName: x\r\n" + pem(one).replace(b"\n", b"\r\n"),
        lambda one: b"".join(pem(one).splitlines()[1:-1]),
        lambda one: pkcs7.serialize_certificates([one], Encoding.DER),
        lambda one: pkcs7.serialize_certificates([one], Encoding.PEM),
    ],
    ids=["der", "pem", "pem with text around", "bare base64", "p7b der", "p7b pem"],
)
def test_a_certificate_is_read_in_every_usual_form(form) -> None:
    one = certificate("partner")
    assert read_certificate(form(one)) == one


def test_of_a_chain_the_one_that_issued_no_other_is_taken() -> None:
    root = certificate("root")
    middle = certificate("middle", issuer="root", signer=key("root"))
    leaf = certificate("leaf", issuer="middle", signer=key("middle"))
    assert read_certificate(pkcs7.serialize_certificates([root, leaf, middle], Encoding.DER)) == leaf
    assert read_certificate(pem(leaf) + pem(middle)) == leaf


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "Choose a file"),
        (b"  \n", "Choose a file"),
        (b"Dear customer, here is our certificate.", "no certificate"),
        (b"x" * 200_000, "too large"),
        (der(certificate("partner"))[:500], "no certificate"),
        (pem(certificate("partner"))[:500], "no certificate"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "no certificate"),
        (pem(certificate("a")) + pem(certificate("b")), "several"),
        (key_pem(key("a")), "private key"),
        (key_pem(key("a"), b"password"), "private key"),
        (pem(certificate("a")) + key_pem(key("a")), "private key"),
        (p12(key("a"), certificate("a")), "no certificate"),
    ],
    ids=["nothing", "blank", "text", "huge", "half der", "half pem", "wrong pem", "two", "key", "encrypted key",
         "both", "p12"],
)  # fmt: skip
def test_what_is_no_certificate_is_refused_in_plain_words(content: bytes, words: str) -> None:
    with pytest.raises(FileUnusable, match=words):
        read_certificate(content)


def test_a_certificate_that_no_field_can_hold_is_refused() -> None:
    private = key("a")
    builder = x509.CertificateBuilder().subject_name(x509.Name([])).issuer_name(x509.Name([]))
    builder = builder.public_key(private.public_key()).serial_number(1).not_valid_before(datetime(2026, 1, 1))
    names = x509.SubjectAlternativeName([x509.DNSName(f"host-{number}.example.com") for number in range(600)])
    large = builder.not_valid_after(datetime(2036, 1, 1)).add_extension(names, critical=False)
    with pytest.raises(FileUnusable, match="too large"):
        read_certificate(der(large.sign(private, hashes.SHA256())))


def test_a_pkcs12_file_gives_its_one_key_and_the_certificate_of_that_key() -> None:
    own = certificate("own", issuer="root", signer=key("root"))
    pair = read_pair(p12(key("own"), own, certificate("root")), "hemmelig")
    assert x509.load_pem_x509_certificate(pair.certificate.encode()) == own
    assert load_pem_private_key(pair.key.encode(), None).private_numbers() == key("own").private_numbers()
    assert pair.left_out == 1


@pytest.mark.parametrize(
    ("content", "password", "words"),
    [
        (b"not a file", "hemmelig", "no .p12"),
        (pem(certificate("a")), "hemmelig", "exactly one"),
        (key_pem(key("a"), b"hemmelig"), "hemmelig", "no certificate that can be read"),
        (pem(certificate("a")) + key_pem(key("a")) + key_pem(key("b")), "", "exactly one"),
        (pem(certificate("a")) + key_pem(key("b")), "", "does not belong"),
        (pem(certificate("b")) + pem(certificate("a")) + key_pem(key("a")), "", "must come first"),
        (pem(certificate("a")) + key_pem(key("a"), b"hemmelig"), "forkert", "password"),
        (pem(certificate("a")) + key_pem(key("a"), b"hemmelig"), "", "password"),
        (pem(certificate("a")) + key_pem(key("a"))[:-40], "", "no .p12"),
        (pem(certificate("a")) + key_pem(key("a")).replace(b"M", b"", 1), "", "no .p12"),
        (pem(certificate("a"))[:400] + b"\n" + key_pem(key("a")), "", "no certificate that can be read"),
        (pem(certificate("ec", pemmed := elliptic())) + key_pem(pemmed), "", "too weak or of another kind"),
        (pem(certificate("weak", key("weak", 1024))) + key_pem(key("weak", 1024)), "", "too weak or of another kind"),
        (p12(key("a"), certificate("a")), "forkert", "password"),
        (p12(key("a"), certificate("a")), "", "password"),
        (p12(key("a"), certificate("a"))[:-200], "hemmelig", "no .p12"),
        (p12(key("a"), None, certificate("b")), "hemmelig", "does not belong"),
        (p12(key("a"), None), "hemmelig", "does not belong"),
        (p12(None, None, certificate("a")), "hemmelig", "exactly one"),
        (p12(one := elliptic(), certificate("ec", one)), "hemmelig", "too weak or of another kind"),
        (p12(weak := key("weak", 1024), certificate("weak", weak)), "hemmelig", "too weak or of another kind"),
        (b"", "hemmelig", "Choose a file"),
        (b"0" * 200_000, "hemmelig", "too large"),
    ],
    ids=["text", "pem without key", "pem without certificate", "pem two keys", "pem mismatch", "pem order",
         "pem wrong password", "pem no password", "pem half a key", "pem broken key", "pem half a certificate",
         "pem elliptic", "pem weak", "wrong password", "no password", "half", "mismatch", "no certificate",
         "no key", "elliptic", "weak", "nothing", "huge"],
)  # fmt: skip
def test_what_is_no_pair_is_refused_in_plain_words(content: bytes, password: str, words: str) -> None:
    with pytest.raises(FileUnusable, match=words) as refused:
        read_pair(content, password)
    assert "BEGIN" not in str(refused.value)


@pytest.mark.parametrize(
    ("form", "password"),
    [
        (lambda own, private: own + key_pem(private), ""),
        (lambda own, private: own + key_pem(private), "not asked for"),
        (lambda own, private: key_pem(private, b"hemmelig") + own, "hemmelig"),
        (lambda own, private: own + private.private_bytes(Encoding.PEM, OLD, NoEncryption()), ""),
        (lambda own, private: own + private.private_bytes(Encoding.PEM, OLD, BestAvailableEncryption(b"x")), "x"),
        (lambda own, private: (b"Bag Attributes\n" + own + key_pem(private)).replace(b"\n", b"\r\n"), ""),
    ],
    ids=["clear", "clear with a password", "encrypted, key first", "old form", "old form encrypted", "text around"],
)
def test_a_pem_file_gives_its_one_key_and_its_first_certificate(form, password) -> None:
    own = certificate("own", issuer="root", signer=key("root"))
    pair = read_pair(form(pem(own), key("own")) + pem(certificate("root")), password)
    assert pair.certificate.encode() == pem(own) and pair.left_out == 1
    assert load_pem_private_key(pair.key.encode(), None).private_numbers() == key("own").private_numbers()


@pytest.mark.parametrize("form", ["pem", "pkcs12"])
def test_the_chain_of_a_file_follows_our_certificate_where_it_is_asked_for(form: str) -> None:
    root, middle = certificate("root"), certificate("middle", issuer="root", signer=key("root"))
    own = certificate("own", issuer="middle", signer=key("middle"))
    chain = (own, middle, root)
    content = key_pem(key("own")) + b"".join(map(pem, chain)) if form == "pem" else p12(key("own"), *chain)
    pair = read_pair(content, "hemmelig", with_chain=True)
    assert x509.load_pem_x509_certificates(pair.certificate.encode()) == list(chain)
    assert pair.left_out == 0


def test_a_chain_that_no_field_can_hold_is_refused_only_where_it_is_kept() -> None:
    content = key_pem(key("a")) + pem(certificate("a")) * 12
    with pytest.raises(FileUnusable, match="too large"):
        read_pair(content, "", with_chain=True)
    assert read_pair(content, "").left_out == 11


def test_a_file_with_two_keys_is_refused() -> None:
    """Both files' parts in one; its MAC no longer fits, which is looked at later."""
    both = [asn1.Pfx.load(p12(key(name), certificate(name))) for name in "ab"]
    parts = asn1.AuthenticatedSafe([part for one in both for part in one.authenticated_safe])
    both[0]["auth_safe"] = {"content_type": "data", "content": parts.dump()}
    del both[0]["mac_data"]
    with pytest.raises(FileUnusable, match="exactly one"):
        read_pair(both[0].dump(), "hemmelig")


def _slow_pkcs12() -> bytes:
    pfx = asn1.Pfx.load(p12(key("a"), certificate("a")))
    pfx["mac_data"]["iterations"] = 2**31 - 1
    return bytes(pfx.dump())


def _slow_pem() -> bytes:
    sealed = key("a").private_bytes(Encoding.DER, PrivateFormat.PKCS8, BestAvailableEncryption(b"hemmelig"))
    info = keys.EncryptedPrivateKeyInfo.load(sealed)
    info["encryption_algorithm"]["parameters"]["key_derivation_func"]["parameters"]["iteration_count"] = 2**31 - 1
    return asn1_pem.armor("ENCRYPTED PRIVATE KEY", info.dump(force=True)) + pem(certificate("a"))


@pytest.mark.parametrize("content", [_slow_pkcs12(), _slow_pem()], ids=["pkcs12", "pem"])
def test_a_file_that_would_take_for_ever_to_open_is_not_even_tried(
    content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("tried"))
    with pytest.raises(FileUnusable, match="reasonable time"):
        read_pair(content, "hemmelig")


@pytest.mark.parametrize("content", [_slow_pkcs12(), _slow_pem()], ids=["pkcs12", "pem"])
def test_a_file_that_takes_for_ever_to_open_is_given_up(content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody could see it before: PKCS#12 may hide its key in a part that is encrypted itself."""
    monkeypatch.setattr(certificate_files, "PATIENCE", 1.0)
    for guard in ("is_affordable_key", "is_affordable_pkcs12"):
        monkeypatch.setattr(certificate_files, guard, lambda _: True)
    with pytest.raises(FileUnusable, match="reasonable time") as refused:
        read_pair(content, "hemmelig")
    assert refused.value.__suppress_context__


def test_neither_password_nor_file_stand_in_the_childs_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    commands = []
    run = subprocess.run

    def watched(command, **options):
        commands.append(command)
        return run(command, **options)

    monkeypatch.setattr(subprocess, "run", watched)
    read_pair(p12(key("a"), certificate("a")), "hemmelig")
    assert len(commands) == 1 and "hemmelig" not in str(commands) and len(commands[0]) == 3
