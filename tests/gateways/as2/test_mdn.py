"""Which receipts prove something; signatures are OpenSSL's."""

from __future__ import annotations

import base64
import subprocess

import pytest
from asn1crypto import cms
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.as2_partner import BOUNDARY, INNER, PROCESSED, Opener, enclose, report, unsigned

from invoiceapp.gateways.as2.failures import judge
from invoiceapp.gateways.as2.mdn import LARGEST, MdnInvalid, Mic, about, mic_of, read
from invoiceapp.trust import detached as signature

ID = "<key1@firma-as2>"
MIC = Mic(bytes(range(32)), "sha256")
SHOWN = f"{base64.b64encode(MIC.digest).decode()}, sha-256"
GOOD = report(ID, SHOWN)


@pytest.fixture(scope="module")
def sign(pairs, tmp_path_factory):
    """A detached signature by OpenSSL: ``sign(octets, who, *options)``."""
    folder = tmp_path_factory.mktemp("mdn")
    opener = Opener(folder, folder, folder, folder)

    def run(octets, who="partner", *options, md="sha256"):
        pair = pairs[who]
        signer = ("-signer", pair.certificate_path, "-inkey", pair.key_path)
        return opener.cms(octets, "-sign", "-binary", "-outform", "DER", "-md", md, *signer, *options)

    return run


@pytest.fixture
def accept(pairs):
    """Reads and judges a receipt that must be signed by the partner."""

    def run(headers, body, *signers):
        mdn = read(headers, body, [pairs[name].loaded for name in signers or ("partner",)], signed=True)
        judge(mdn, ID, MIC)
        return mdn

    return run


@pytest.mark.parametrize(
    ("who", "md", "options"),
    [
        ("partner", "sha256", ()),
        ("partner", "sha384", ()),
        ("partner", "sha512", ()),
        ("partner", "sha256", ("-keyid",)),
        ("partner", "sha256", ("-nocerts",)),
        ("partner", "sha256", ("-keyopt", "rsa_padding_mode:pss")),
        ("curve", "sha256", ()),
        ("expired", "sha256", ()),
    ],
)
def test_signatures_of_many_kinds_count(sign, accept, who, md, options):
    mdn = accept(*enclose(GOOD, sign(GOOD, who, *options, md=md)), who)
    assert mdn.about == ID
    assert mdn.mic == MIC
    assert mdn.message_id == "<mdn-1@partner>"


def test_the_one_of_several_certificates_that_signed_is_told(sign, accept, pairs):
    mdn = accept(*enclose(GOOD, sign(GOOD, "partner_next")), "partner", "partner_next")
    assert mdn.signer == pairs["partner_next"].loaded


BAD_SIGNATURES = {
    "a stranger's": lambda sign: sign(GOOD, "stranger"),
    "over other octets": lambda sign: sign(GOOD.replace(b"Thank", b"thank")),
    "without attributes": lambda sign: sign(GOOD, "partner", "-noattr"),
    "with SHA-1": lambda sign: sign(GOOD, md="sha1"),
    "not a signature": lambda sign: b"0\x03\x02\x01\x01",
    "empty": lambda sign: b"",
    "cut": lambda sign: sign(GOOD)[:-40],
    "with bytes behind it": lambda sign: sign(GOOD) + b"\0",
    "broken": lambda sign: sign(GOOD)[:-1] + bytes([sign(GOOD)[-1] ^ 1]),
}


@pytest.mark.parametrize("made", BAD_SIGNATURES.values(), ids=BAD_SIGNATURES)
def test_a_bad_signature_proves_nothing(sign, accept, made):
    with pytest.raises(MdnInvalid):
        accept(*enclose(GOOD, made(sign)))


def test_two_signers_prove_nothing(sign, accept, pairs):
    other = pairs["stranger"]
    both = sign(GOOD, "partner", "-signer", other.certificate_path, "-inkey", other.key_path)
    with pytest.raises(MdnInvalid, match="2 signers"):
        accept(*enclose(GOOD, both))


def test_no_signer_proves_nothing(sign, accept):
    info = cms.ContentInfo.load(sign(GOOD))
    info["content"]["signer_infos"] = []
    with pytest.raises(MdnInvalid, match="0 signers"):
        accept(*enclose(GOOD, info.dump(force=True)))


@pytest.mark.parametrize("attribute", ["content_type", "message_digest"])
@pytest.mark.parametrize("times", [0, 2])
def test_signed_attributes_stand_there_once(sign, accept, attribute, times):
    info = cms.ContentInfo.load(sign(GOOD))
    signer = info["content"]["signer_infos"][0]
    kept = [one for one in signer["signed_attrs"] for _ in range(times if one["type"].native == attribute else 1)]
    signer["signed_attrs"] = cms.CMSAttributes(kept)
    with pytest.raises(MdnInvalid, match=attribute):
        accept(*enclose(GOOD, info.dump(force=True)))


def test_another_signed_content_type_proves_nothing(sign, accept):
    # The attribute says id-ct-compressedData; the content itself is id-data.
    info = cms.ContentInfo.load(sign(GOOD))
    info["content"]["encap_content_info"]["content_type"] = "compressed_data"
    with pytest.raises(MdnInvalid, match="content type"):
        accept(*enclose(GOOD, info.dump(force=True)))


BAD_REPORTS = {
    "about another message": report("<key2@firma-as2>", SHOWN),
    "about nothing": report("", SHOWN),
    "without MIC": report(ID, None),
    "by another algorithm": report(ID, SHOWN.replace("256", "512")),
    "an unreadable MIC": report(ID, "not base64!, sha256"),
    "two notifications": report(ID, SHOWN, notifications=2),
    "no notification": report(ID, SHOWN, notifications=0),
    "displayed": report(ID, SHOWN, PROCESSED.replace("processed", "displayed")),
    "a disposition of another kind": report(ID, SHOWN, "processed"),
    "words behind processed": report(ID, SHOWN, PROCESSED + " not"),
    "an unknown modifier": report(ID, SHOWN, PROCESSED + "/maybe"),
    "two dispositions": report(ID, SHOWN, more=f"Disposition: {PROCESSED}/error: authentication-failed"),
    "two MICs": report(ID, SHOWN, more=f"Received-content-mic: {SHOWN}"),
    "two messages": report(ID, SHOWN, more="original-message-id: <key2@firma-as2>"),
    "without end": GOOD.replace(f"--{INNER}--".encode(), b""),
    "a line that is no header": report(ID, SHOWN, more="what is this"),
    "text": b"Content-Type: text/plain\r\n\r\nDisposition: " + PROCESSED.encode(),
    "an unknown transfer encoding": GOOD.replace(
        b"notification\r\n\r\n", b"notification\r\nContent-Transfer-Encoding: rot13\r\n\r\n"
    ),
    "nothing": b"",
}


@pytest.mark.parametrize("octets", BAD_REPORTS.values(), ids=BAD_REPORTS)
def test_a_signed_report_that_does_not_fit_proves_nothing(sign, accept, octets):
    with pytest.raises(MdnInvalid):
        accept(*enclose(octets, sign(octets)))


def test_a_third_part_proves_nothing(sign, accept):
    with pytest.raises(MdnInvalid, match="3 parts"):
        accept(*enclose(GOOD, sign(GOOD), extra=GOOD))


def test_a_report_before_the_signed_one_is_not_read(sign, accept):
    headers, body = enclose(GOOD, sign(GOOD))
    fake = report(ID, SHOWN, PROCESSED + "/error: authentication-failed")
    assert accept(headers, fake + b"\r\n" + body).disposition.has_arrived


def test_a_single_part_proves_nothing(accept):
    headers, _ = enclose(GOOD, b"")
    with pytest.raises(MdnInvalid, match="1 parts"):
        accept(headers, f"--{BOUNDARY}\r\n".encode() + GOOD + f"\r\n--{BOUNDARY}--\r\n".encode())


def test_a_second_part_that_is_no_signature_proves_nothing(sign, accept):
    headers, body = enclose(GOOD, sign(GOOD))
    with pytest.raises(MdnInvalid, match="no signature"):
        accept(headers, body.replace(b"application/pkcs7-signature; name", b"text/plain; name"))


def test_an_unsigned_receipt_proves_nothing(accept):
    with pytest.raises(MdnInvalid, match="not signed") as caught:
        accept(*unsigned(GOOD))
    assert caught.value.claim == ""


def test_what_an_unsigned_no_claims_is_kept(accept):
    no = report(ID, None, PROCESSED.replace("processed", "processed/error: Decryption-Failed"))
    with pytest.raises(MdnInvalid) as caught:
        accept(*unsigned(no))
    assert caught.value.claim == "decryption-failed"


def test_an_enormous_receipt_is_not_read(accept):
    with pytest.raises(MdnInvalid, match="too large"):
        accept({"content-type": "multipart/report"}, b"x" * (LARGEST + 1))


def test_transfer_encodings_are_undone(sign, accept):
    block = GOOD.split(b"message/disposition-notification\r\n\r\n")[1].partition(f"--{INNER}".encode())[0]
    coded = GOOD.replace(
        b"\r\n\r\n" + block, b"\r\nContent-Transfer-Encoding: base64\r\n\r\n" + base64.encodebytes(block)
    )
    assert accept(*enclose(coded, sign(coded))).mic == MIC
    quoted = GOOD.replace(
        b"\r\n\r\n" + block, b"\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n" + block.replace(b"=", b"=3D")
    )
    assert accept(*enclose(quoted, sign(quoted))).mic == MIC


def test_folded_lines_and_bare_line_feeds_are_read(sign, accept):
    folded = GOOD.replace(b"sent-automatically; processed", b"sent-automatically;\r\n\tprocessed").replace(
        b"\r\n", b"\n"
    )
    headers, body = enclose(folded, sign(folded))
    assert accept(headers, body).mic == MIC


def test_openssl_agrees_that_the_receipts_of_these_tests_are_signed(sign, pairs, tmp_path):
    headers, body = enclose(GOOD, sign(GOOD))
    message = tmp_path / "mdn"
    message.write_bytes(f"Content-Type: {headers['content-type']}\r\n\r\n".encode() + body)
    arguments = ["-verify", "-noverify", "-nointern", "-certfile", pairs["partner"].certificate_path, "-in", message]
    subprocess.run(["openssl", "cms", *arguments], check=True, capture_output=True)


@pytest.mark.parametrize(
    ("text", "mic"),
    [
        ("AAEC, sha-256", Mic(b"\0\1\2", "sha256")),
        ("AAEC,SHA256", Mic(b"\0\1\2", "sha256")),
        ("AA EC , sha1 ", Mic(b"\0\1\2", "sha1")),
        ("AAEC", None), ("", None), (",", None), ("AAEC,", None), ("ÆØÅ, sha256", None), ("AAE, sha256", None),
    ],
)  # fmt: skip
def test_a_mic_is_read_in_all_its_spellings(text, mic):
    assert mic_of(text) == mic


def test_the_message_it_is_about_is_known_before_anything_is_proved(sign):
    assert about(*enclose(GOOD, b"no signature at all")) == ID
    assert about(*unsigned(GOOD)) == ID


_QUIET = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@_QUIET
@given(
    kind=st.sampled_from(["multipart/signed; boundary=b", 'multipart/report; boundary="b"', "multipart/signed", "x"])
    | st.text(max_size=60),
    body=st.binary(max_size=300)
    | st.lists(
        st.sampled_from(
            [b"--b", b"--", b"\r\n", b"\n", b"Content-Type: ", b"multipart/report", b":", b"\xff", b"Disposition"]
        )
    ).map(b"".join),
)
def test_nothing_that_comes_in_breaks_the_reading(pairs, kind, body):
    for signed in (True, False):
        with pytest.raises(MdnInvalid):
            read({"content-type": kind}, body, [pairs["partner"].loaded], signed=signed)


@_QUIET
@given(data=st.data())
def test_no_changed_signature_breaks_the_check(sign_once, pairs, data):
    made = bytearray(sign_once)
    for _ in range(data.draw(st.integers(1, 4))):
        made[data.draw(st.integers(0, len(made) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = signature.verify(GOOD, bytes(made), [pairs["partner"].loaded])
    except signature.NotSigned:
        return
    # Bytes that nobody signs, such as those of the certificate sent along, may differ.
    assert found == pairs["partner"].loaded


@pytest.fixture(scope="module")
def sign_once(sign):
    return sign(GOOD)


def test_an_endless_content_type_inside_is_not_read():
    """The standard library takes half a minute for this one."""
    inner = b'Content-Type: multipart/report; x="' + b";" * 200_000 + b"\r\n\r\n"
    body = b"--b\r\n" + inner + b"\r\n--b\r\nContent-Type: application/pkcs7-signature\r\n\r\nx\r\n--b--\r\n"
    with pytest.raises(MdnInvalid, match="endless"):
        about({"content-type": "multipart/signed; boundary=b"}, body)
