"""Whatever is done to a pack is found, and zips made to harm are refused before they are unpacked."""

from __future__ import annotations

import io
import json
import zipfile
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from cryptography.x509.oid import NameOID
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import OperationalError
from support.evidence_packs import contents, full_document, zipped

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.models import Event, Receipt, db
from invoiceapp.services.proof import signing
from invoiceapp.services.proof.evidence import checking, pack
from invoiceapp.services.proof.evidence.safe_zip import Limits

S = DeliveryState


@pytest.fixture
def sound(ready, tmp_path):
    """The bytes of a pack."""
    document = full_document(ready)
    pack.write(tmp_path / "sound.zip", [document.id], "bo@example.com")
    return (tmp_path / "sound.zip").read_bytes()


@pytest.fixture
def files(sound, tmp_path):
    """What it holds."""
    return contents(tmp_path / "sound.zip")


def failed(file: io.BytesIO, **more: object) -> set[str]:
    verdict = checking.check(file, **more)
    assert all(one.text.da and one.text.en for one in verdict.checks)
    return {one.name for one in verdict.checks if not one.holds}


def ours(changed: dict[str, bytes]) -> dict[str, bytes]:
    """Signed anew, as somebody could who has our key."""
    return changed | {"manifest.p7s": signing.sign(changed["manifest.json"])}


def foreign(content: bytes) -> tuple[bytes, bytes]:
    """A signature by somebody else, and their certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Fremmed A/S")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(7)
        .not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    options = [pkcs7.PKCS7Options.DetachedSignature, pkcs7.PKCS7Options.Binary]
    builder = pkcs7.PKCS7SignatureBuilder().set_data(content).add_signer(certificate, key, hashes.SHA256())
    return builder.sign(Encoding.DER, options), certificate.public_bytes(Encoding.PEM)


def test_a_sound_pack_holds_and_says_whose_it_is(sound):
    verdict = checking.check(io.BytesIO(sound))
    assert verdict.holds and [one.name for one in verdict.checks] == [
        "zip",
        "signature",
        "manifest",
        "files",
        "sendings",
    ]
    assert verdict.signed is not None and verdict.signed.is_ours and verdict.signed.fingerprint == signing.fingerprint()


def test_a_changed_byte_in_any_file_is_found(files):
    for path, content in files.items():
        changed = bytes([content[0] ^ 1]) + content[1:]
        found = failed(zipped(files | {path: changed}))
        expected = {"manifest.json": "signature", "manifest.p7s": "signature"}.get(path, "changed")
        assert expected in found, path


def test_a_removed_file_and_an_added_one_are_found(files):
    for path in files:
        left = {name: content for name, content in files.items() if name != path}
        expected = {"manifest.json": "manifest", "manifest.p7s": "signature"}.get(path, "missing")
        assert expected in failed(zipped(left)), path
    for path in ("note.txt", "documents/other/index.html", "manifest.json.bak"):
        assert failed(zipped(files | {path: b"x"})) == {"extra"}


def test_a_manifest_of_another_pack_does_not_fit(files, ready, tmp_path):
    pack.write(tmp_path / "other.zip", [full_document(ready, "1002").id], "bo@example.com")
    other = contents(tmp_path / "other.zip")
    with_both = files | {name: other[name] for name in ("manifest.json", "manifest.p7s")}
    assert {"missing", "extra", "changed"} <= failed(zipped(with_both))
    assert "signature" in failed(zipped(files | {"manifest.json": other["manifest.json"]}))


def test_a_manifest_that_is_mended_after_a_change_has_no_signature_that_fits(files):
    page = files["index.html"] + b" "
    manifest = json.loads(files["manifest.json"])
    for one in manifest["files"]:
        if one["path"] == "index.html":
            one |= {"size": len(page), "sha256": hashes_of(page)}
    mended = files | {"index.html": page, "manifest.json": json.dumps(manifest).encode()}
    assert failed(zipped(mended)) == {"signature"}


def hashes_of(content: bytes) -> str:
    digest = hashes.Hash(hashes.SHA256())
    digest.update(content)
    return digest.finalize().hex()


def test_a_foreign_signature_does_not_count_and_is_named_unless_its_certificate_is_given(files):
    signature, certificate = foreign(files["manifest.json"])
    theirs = files | {"manifest.p7s": signature}
    assert failed(zipped(theirs)) == {"signature"}
    manifest = json.loads(files["manifest.json"])
    for one in manifest["files"]:
        if one["path"] == "certificate.pem":
            one |= {"size": len(certificate), "sha256": hashes_of(certificate)}
    content = json.dumps(manifest).encode()
    signature, certificate_again = foreign(content)
    theirs = files | {"manifest.json": content, "manifest.p7s": signature, "certificate.pem": certificate_again}
    said = [one.text for one in checking.check(zipped(theirs)).checks if one.name == "signature"]
    assert "Fremmed A/S" in said[0].da and "Fremmed A/S" in said[0].en
    verdict = checking.check(zipped(theirs), certificate_again)
    assert verdict.signed is not None and verdict.signed.name == "Fremmed A/S" and not verdict.signed.is_ours


def test_without_a_database_the_certificate_is_enough(sound, monkeypatch):
    certificate = signing.certificate_pem()

    def gone(*_arguments: object, **_options: object) -> None:
        raise OperationalError("SELECT", {}, Exception("no database"))

    monkeypatch.setattr(db.session, "scalars", gone)
    monkeypatch.setattr(db.session, "scalar", gone)
    assert checking.check(io.BytesIO(sound), certificate).holds
    assert failed(io.BytesIO(sound)) == {"signature"}


def test_bytes_other_than_those_that_the_timeline_tells_of_are_found(ready, tmp_path):
    one, other, third = (full_document(ready, number) for number in ("1", "2", "3"))
    converted = db.session.query(Event).filter_by(document_id=one.id, kind="converted").one()
    converted.data = {**converted.data, "sha256": "0" * 64}
    wire = db.session.query(Receipt).filter_by(delivery_id=other.delivery_id, kind="wire").one()
    wire.evidence = {**wire.evidence, "sha256": "1" * 64}
    db.session.commit()
    for document, expected in ((one, {"sendings"}), (other, {"sendings"}), (third, set())):
        pack.write(tmp_path / "x.zip", [document.id], "bo")
        assert failed(io.BytesIO((tmp_path / "x.zip").read_bytes())) == expected


def test_a_rendition_that_was_exchanged_is_found_although_manifest_and_signature_fit(files):
    [path] = [name for name in files if "/renditions/" in name]
    manifest = json.loads(files["manifest.json"])
    for one in manifest["files"]:
        if one["path"] == path:
            one |= {"size": 1, "sha256": hashes_of(b"x")}
    changed = ours(files | {path: b"x", "manifest.json": json.dumps(manifest).encode()})
    assert failed(zipped(changed)) == {"sendings"}


@pytest.mark.parametrize(
    "manifest",
    [b"", b"[]", b"{}", b"\xff", b'{"format":"other"}', b"[" * 100_000, b'{"format":"invoiceapp-evidence-1","files":[1],"documents":[]}'],
    ids=["empty", "a list", "nothing", "no text", "another format", "deep", "no files"],
)  # fmt: skip
def test_a_manifest_that_cannot_be_read_is_said_so(files, manifest):
    assert "manifest" in failed(zipped(ours(files | {"manifest.json": manifest})))


def test_a_manifest_that_nobody_signed_is_not_read_and_one_that_is_large_is_not_unpacked(files, monkeypatch):
    hostile = files | {"manifest.json": b"[" + b"[]," * 100_000 + b"[]]"}
    assert failed(zipped(ours(hostile)), limits=Limits(json=100_000)) == {"zip"}
    monkeypatch.setattr(checking.json, "loads", None)
    assert failed(zipped(hostile)) == {"signature"}


def test_a_manifest_that_names_a_file_or_a_document_twice_does_not_hold(files):
    for name in ("files", "documents"):
        manifest = json.loads(files["manifest.json"])
        manifest[name] *= 2
        twice = ours(files | {"manifest.json": json.dumps(manifest).encode()})
        assert failed(zipped(twice)) == {"manifest"}


@pytest.mark.parametrize(
    "odd", [None, 7, "x", [7], {"x": [7]}, [[]], [{"rendition": [7]}], [{"receipts": 7, "first_sent_at": 1}]]
)
def test_odd_values_in_facts_that_somebody_wrote_break_nothing(files, odd):
    [path] = [name for name in files if name.endswith("deliveries.json")]
    content, manifest = json.dumps(odd).encode(), json.loads(files["manifest.json"])
    for one in manifest["files"]:
        if one["path"] == path:
            one |= {"size": len(content), "sha256": hashes_of(content)}
    manifest |= {"made_by": ["\ud800"], "made_at": odd}
    changed = ours(files | {path: content, "manifest.json": json.dumps(manifest).encode()})
    verdict = checking.check(zipped(changed))
    assert {one.name: one.holds for one in verdict.checks}["signature"]
    str(verdict.made).encode()


@pytest.mark.parametrize(
    "path", ["../x", "/x", "a/../../x", "C:\\x", "a\\b", "a//b", "./x", "a\x00b", "x/", "con:x", "a\nb"]
)  # fmt: skip
def test_a_name_that_leads_elsewhere_is_refused(app, path):
    raw = zipped({"a" * len(path): b"x"}).getvalue().replace(b"a" * len(path), path.encode())
    assert failed(io.BytesIO(raw)) == {"zip"}


def test_links_encrypted_files_and_other_methods_are_refused(app, files):
    def a_link(info: zipfile.ZipInfo) -> None:
        info.external_attr = 0o120777 << 16

    def a_method(info: zipfile.ZipInfo) -> None:
        info.compress_type = zipfile.ZIP_LZMA

    assert failed(zipped(files, a_link)) == {"zip"}
    assert failed(zipped(files, a_method)) == {"zip"}
    raw = bytearray(zipped({"x": b"x"}).getvalue())
    raw[raw.index(b"PK\x01\x02") + 8] |= 1
    assert failed(io.BytesIO(bytes(raw))) == {"zip"}


def test_a_bomb_is_refused_by_its_directory(app):
    bomb = zipped({"manifest.json": b" " * 5_000_000, "manifest.p7s": b"x"})
    assert failed(bomb, limits=Limits(bytes=1_000_000)) == {"zip"}
    assert failed(zipped({str(n): b"" for n in range(20)}), limits=Limits(files=10)) == {"zip"}
    assert failed(zipped({"manifest.json": b"{}", "manifest.p7s": b" " * 5_000_000})) == {"zip"}


def test_files_that_lie_upon_each_other_are_refused(app):
    raw = bytearray(zipped({"a": bytes(range(256)) * 40, "b": bytes(range(256)) * 40}).getvalue())
    second = raw.index(b"PK\x01\x02", raw.index(b"PK\x01\x02") + 1)
    raw[second + 20 : second + 24] = (10_000).to_bytes(4, "little")
    assert failed(io.BytesIO(bytes(raw))) == {"zip"}


def test_what_is_hidden_around_the_files_is_refused(sound):
    assert failed(io.BytesIO(b"hidden" + sound)) == {"zip"}
    with zipfile.ZipFile(commented := io.BytesIO(sound), "a") as file:
        file.comment = b"hidden"
    assert failed(commented) == {"zip"}


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_files_of_one_name_are_refused(files):
    with zipfile.ZipFile(twice := zipped(files), "a") as file:
        file.writestr("index.html", b"another")
    assert failed(twice) == {"zip"}


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(data=st.data())
def test_no_pack_that_was_cut_or_changed_somewhere_holds_or_breaks_the_check(sound, data):
    position = data.draw(st.integers(0, len(sound) - 1))
    if data.draw(st.booleans()):
        assert failed(io.BytesIO(sound[:position]))
        return
    changed = sound[:position] + bytes([sound[position] ^ data.draw(st.integers(1, 255))]) + sound[position + 1 :]
    verdict = checking.check(io.BytesIO(changed))
    if verdict.holds:
        # Some bytes of a zip mean nothing, such as the times of its files: what is in them is the same.
        with zipfile.ZipFile(io.BytesIO(sound)) as one, zipfile.ZipFile(io.BytesIO(changed)) as other:
            assert {name: one.read(name) for name in one.namelist()} == {
                name: other.read(name) for name in other.namelist()
            }


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(junk=st.binary(max_size=400))
def test_no_bytes_break_the_check(app, junk):
    assert failed(io.BytesIO(junk)) == {"zip"}
