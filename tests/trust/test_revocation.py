"""Whether a certificate has been revoked, asked of real servers that answer rightly, wrongly and not at all."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from asn1crypto import ocsp as asn1_ocsp
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID
from support.outbound import LOOPBACK
from support.pki import ec_key, make_pki, make_root, usage

from invoiceapp.outbound.deadline import Deadline
from invoiceapp.outbound.guard import Guard
from invoiceapp.outbound.http import HttpClient
from invoiceapp.trust import revocation
from invoiceapp.trust.chains import ChainError, Reason
from invoiceapp.trust.revocation import Policy, check

pytestmark = pytest.mark.server
NOW = datetime.now(UTC).replace(microsecond=0)
HOUR = timedelta(hours=1)
GOOD, REVOKED, UNKNOWN = ocsp.OCSPCertStatus.GOOD, ocsp.OCSPCertStatus.REVOKED, ocsp.OCSPCertStatus.UNKNOWN
DER = serialization.Encoding.DER


class Authority:
    """The web server of a certificate authority."""

    def __init__(self):
        self.pages, self.asked = {}, []
        authority = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                authority.asked.append((self.command, self.path, self.headers.get("Content-Type"), content))
                found = authority.pages.get(self.path)
                body = found(content) if callable(found) else found
                self.send_response(404 if body is None else 200)
                self.end_headers()
                self.wfile.write(body or b"")

            do_POST = do_GET

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture(scope="session")
def _authority():
    made = Authority()
    thread = threading.Thread(target=made.server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()
    thread.join(5)


@pytest.fixture
def authority(_authority):
    _authority.pages.clear()
    _authority.asked.clear()
    return _authority


@pytest.fixture(scope="session")
def pki():
    return make_pki("Revocation")


def by_list(url, path="/list"):
    point = x509.DistributionPoint([x509.UniformResourceIdentifier(f"{url}{path}")], None, None, None)
    return x509.CRLDistributionPoints([point]), False


def by_ocsp(url):
    access = x509.AccessDescription(AuthorityInformationAccessOID.OCSP, x509.UniformResourceIdentifier(f"{url}/ocsp"))
    issuer = x509.AccessDescription(
        AuthorityInformationAccessOID.CA_ISSUERS, x509.UniformResourceIdentifier(f"{url}/issuer")
    )
    return x509.AuthorityInformationAccess([issuer, access]), False


@pytest.fixture
def listed(pki, _authority):
    """A certificate that names a list."""
    return pki.holder("Listed", extensions=[by_list(_authority.url)])


@pytest.fixture
def responding(pki, _authority):
    """A certificate that names a responder, and a list."""
    return pki.holder("Responding", extensions=[by_ocsp(_authority.url), by_list(_authority.url)])


def asked(holder, pki, policy=Policy.STRICT, kept=None, now=NOW, guard=LOOPBACK):
    chain = [holder.certificate, pki.intermediate.certificate]
    with HttpClient(guard) as http:
        return check(chain, policy, http, Deadline(10, 5), {} if kept is None else kept, lambda: now)


def refused(holder, pki, **options):
    with pytest.raises(ChainError) as caught:
        asked(holder, pki, **options)
    return caught.value


def answered(
    holder, issuer, status=GOOD, *, signer=None, updated=NOW - HOUR, until=NOW + HOUR, certificates=(), about=None
):
    """An OCSP answer (DER)."""
    is_revoked = status is REVOKED
    builder = ocsp.OCSPResponseBuilder().add_response(
        (about or holder).certificate, issuer.certificate, hashes.SHA1(), status, updated, until,
        NOW - HOUR if is_revoked else None, None,
    )  # fmt: skip
    by = signer or issuer
    builder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, by.certificate)
    if certificates:
        builder = builder.certificates(list(certificates))
    return builder.sign(by.key, hashes.SHA256()).public_bytes(DER)


# --- lists


def test_a_certificate_that_is_not_on_the_list_is_good(pki, authority, listed):
    authority.pages["/list"] = pki.crl()
    assert asked(listed, pki) == ()
    assert [(method, path) for method, path, *_ in authority.asked] == [("GET", "/list")]


@pytest.mark.parametrize("policy", [Policy.SOFT, Policy.STRICT])
def test_a_certificate_on_the_list_is_revoked(pki, authority, listed, policy):
    authority.pages["/list"] = pki.crl(listed.certificate)
    error = refused(listed, pki, policy=policy)
    assert error.reason is Reason.REVOKED
    assert "CN=Listed" in error.detail


def test_nobody_is_asked_where_that_is_switched_off(pki, authority, listed):
    authority.pages["/list"] = pki.crl(listed.certificate)
    assert asked(listed, pki, policy=Policy.OFF) == ()
    assert authority.asked == []


def test_no_answer_is_tolerated_and_told_or_refused(pki, authority, listed):
    (silent,) = asked(listed, pki, policy=Policy.SOFT)
    assert "CN=Listed" in silent
    assert "/list: 404" in silent
    assert refused(listed, pki).reason is Reason.REVOCATION_UNKNOWN


def test_a_certificate_that_names_nobody_to_ask_is_unknown(pki):
    holder = pki.holder("Silent")
    assert "names nobody" in asked(holder, pki, policy=Policy.SOFT)[0]
    assert refused(holder, pki).reason is Reason.REVOCATION_UNKNOWN


def test_each_link_is_asked_about(authority):
    root = make_root("Root of lists")
    between = root.issue("Between", ca=True, extensions=[by_list(authority.url, "/root")])
    leaf = between.issue("Leaf", extensions=[by_list(authority.url)])
    authority.pages["/list"] = between.crl()
    authority.pages["/root"] = root.crl([between.certificate])
    with HttpClient(LOOPBACK) as http, pytest.raises(ChainError) as caught:
        chain = [leaf.certificate, between.certificate, root.certificate]
        check(chain, Policy.SOFT, http, Deadline(10, 5), {}, lambda: NOW)
    assert (caught.value.reason, "CN=Between" in caught.value.detail) == (Reason.REVOKED, True)


def test_a_list_signed_with_rsassa_pss_counts(authority):
    danish = make_pki("Statens", is_pss=True)
    holder = danish.holder("System", extensions=[by_list(authority.url)])
    authority.pages["/list"] = danish.crl(holder.certificate)
    assert refused(holder, danish).reason is Reason.REVOKED


def scope(**options):
    usual = {
        "full_name": None, "relative_name": None, "only_contains_user_certs": False,
        "only_contains_ca_certs": False, "only_some_reasons": None, "indirect_crl": False,
        "only_contains_attribute_certs": False,
    }  # fmt: skip
    return x509.IssuingDistributionPoint(**{**usual, **options}), True


def bad_lists(pki, url):
    elsewhere = [x509.UniformResourceIdentifier(f"{url}/elsewhere")]
    yield "foreign", make_pki("Foreign").crl()
    yield "same name", make_root("Revocation Intermediate", key=ec_key()).crl()
    yield "ended", pki.crl(updated=NOW - 3 * HOUR, next_update=NOW - HOUR)
    yield "to come", pki.crl(updated=NOW + HOUR, next_update=NOW + 3 * HOUR)
    yield "altered", pki.crl()[:-20] + bytes(20)
    yield "garbage", b"no list"
    yield "SHA-1", pki.crl().replace(bytes.fromhex("2a864886f70d01010b"), bytes.fromhex("2a864886f70d010105"))
    yield "delta", pki.crl(extensions=[(x509.DeltaCRLIndicator(1), True)])
    yield "authorities only", pki.crl(extensions=[scope(only_contains_ca_certs=True)])
    yield "indirect", pki.crl(extensions=[scope(indirect_crl=True)])
    yield "some reasons", pki.crl(extensions=[scope(only_some_reasons=frozenset({x509.ReasonFlags.key_compromise}))])
    yield "other point", pki.crl(extensions=[scope(full_name=elsewhere)])


def test_a_list_that_does_not_count_is_no_answer(pki, authority, listed):
    for name, content in bad_lists(pki, authority.url):
        authority.pages["/list"] = content
        kept = {}
        assert refused(listed, pki, kept=kept).reason is Reason.REVOCATION_UNKNOWN, name
        assert kept == {}, name


def test_a_part_of_a_list_that_is_this_certificates_counts(pki, authority, listed):
    here = [x509.UniformResourceIdentifier(f"{authority.url}/list")]
    part = scope(full_name=here, only_contains_user_certs=True)
    authority.pages["/list"] = pki.crl(listed.certificate, extensions=[(x509.CRLNumber(1), False), part])
    assert refused(listed, pki).reason is Reason.REVOKED


def test_an_issuer_that_may_not_sign_lists_is_not_believed(pki, authority):
    between = pki.root.issue("No Lists", ca=True, key_usage=usage(key_cert_sign=True))
    holder = between.issue("Leaf", extensions=[by_list(authority.url)])
    authority.pages["/list"] = between.crl()
    with HttpClient(LOOPBACK) as http:
        chain = [holder.certificate, between.certificate]
        assert len(check(chain, Policy.SOFT, http, Deadline(10, 5), {}, lambda: NOW)) == 1


def test_a_list_beyond_all_measure_is_not_read(pki, authority, listed, monkeypatch):
    monkeypatch.setattr(revocation, "LARGEST_LIST", 100)
    authority.pages["/list"] = pki.crl()
    assert "too-large" in asked(listed, pki, policy=Policy.SOFT)[0]


def test_a_list_inside_a_closed_network_is_not_fetched(pki, authority, listed):
    authority.pages["/list"] = pki.crl()
    assert "blocked-address" in asked(listed, pki, policy=Policy.SOFT, guard=Guard())[0]
    assert authority.asked == []


def test_a_list_is_kept_until_the_next_one(pki, authority, listed):
    kept = {}
    authority.pages["/list"] = pki.crl(next_update=NOW + 2 * HOUR)
    asked(listed, pki, kept=kept)
    authority.pages["/list"] = pki.crl(listed.certificate, next_update=NOW + 9 * HOUR)
    asked(listed, pki, kept=kept, now=NOW + 2 * HOUR - timedelta(seconds=1))
    assert len(authority.asked) == 1
    assert refused(listed, pki, kept=kept, now=NOW + 2 * HOUR).reason is Reason.REVOKED
    assert len(authority.asked) == 2


def test_other_ways_than_the_web_are_passed_over(pki, authority):
    point = x509.DistributionPoint([x509.UniformResourceIdentifier("ldap://directory.test/cn=list")], None, None, None)
    holder = pki.holder("Ldap", extensions=[(x509.CRLDistributionPoints([point]), False)])
    assert "names nobody" in asked(holder, pki, policy=Policy.SOFT)[0]


def test_a_list_of_another_issuer_is_passed_over(pki, authority):
    other = [x509.DirectoryName(pki.root.certificate.subject)]
    uri = [x509.UniformResourceIdentifier(f"{authority.url}/list")]
    point = x509.CRLDistributionPoints([x509.DistributionPoint(uri, None, None, other)])
    holder = pki.holder("Indirect", extensions=[(point, False)])
    assert "names nobody" in asked(holder, pki, policy=Policy.SOFT)[0]
    assert authority.asked == []


# --- responders


@pytest.mark.parametrize("status", [GOOD, REVOKED])
def test_a_responder_is_asked_before_the_list(pki, authority, responding, status):
    authority.pages["/ocsp"] = answered(responding, pki.intermediate, status)
    if status is GOOD:
        assert asked(responding, pki) == ()
    else:
        assert refused(responding, pki).reason is Reason.REVOKED
    ((method, path, media_type, content),) = authority.asked
    assert (method, path, media_type) == ("POST", "/ocsp", "application/ocsp-request")
    assert ocsp.load_der_ocsp_request(content).serial_number == responding.certificate.serial_number


def test_the_list_is_asked_where_the_responder_is_silent(pki, authority, responding):
    authority.pages["/list"] = pki.crl(responding.certificate)
    assert refused(responding, pki).reason is Reason.REVOKED
    assert [path for _, path, *_ in authority.asked] == ["/ocsp", "/list"]


def test_a_responder_whom_the_issuer_has_named_counts(pki, authority, responding):
    named = pki.holder("Responder", extensions=[(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING]), False)])
    authority.pages["/ocsp"] = answered(responding, pki.intermediate, signer=named, certificates=[named.certificate])
    assert asked(responding, pki) == ()


def test_a_responder_with_an_elliptic_curve_counts(authority):
    root = make_root("EC responder root", key=ec_key())
    holder = root.issue("EC holder", key=ec_key(), extensions=[by_ocsp(authority.url)])
    authority.pages["/ocsp"] = answered(holder, root, REVOKED)
    with HttpClient(LOOPBACK) as http, pytest.raises(ChainError) as caught:
        check([holder.certificate, root.certificate], Policy.SOFT, http, Deadline(10, 5), {}, lambda: NOW)
    assert caught.value.reason is Reason.REVOKED


def test_an_answer_signed_with_rsassa_pss_counts(pki, authority, responding):
    response = asn1_ocsp.OCSPResponse.load(answered(responding, pki.intermediate, REVOKED))
    basic = response["response_bytes"]["response"].parsed
    filling = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH)
    basic["signature_algorithm"] = {
        "algorithm": "rsassa_pss",
        "parameters": {
            "hash_algorithm": {"algorithm": "sha256"},
            "mask_gen_algorithm": {"algorithm": "mgf1", "parameters": {"algorithm": "sha256"}},
            "salt_length": 32,
        },
    }
    basic["signature"] = pki.intermediate.key.sign(basic["tbs_response_data"].dump(), filling, hashes.SHA256())
    response["response_bytes"]["response"] = basic
    authority.pages["/ocsp"] = response.dump(force=True)
    assert refused(responding, pki).reason is Reason.REVOKED
    assert len(authority.asked) == 1


def bad_answers(pki, holder):
    issuer, other = pki.intermediate, pki.holder("Another")
    stranger = pki.holder("Stranger")
    purpose = [(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING]), False)]
    foreign = make_pki("Foreign").holder("Foreign responder", extensions=purpose)
    ended = pki.holder("Ended", extensions=purpose, valid=(NOW - 99 * HOUR, NOW - HOUR))
    failed = ocsp.OCSPResponseBuilder.build_unsuccessful(ocsp.OCSPResponseStatus.TRY_LATER)
    yield "garbage", b"no answer"
    sha256_rsa, sha1_rsa = bytes.fromhex("2a864886f70d01010b"), bytes.fromhex("2a864886f70d010105")
    yield "SHA-1", answered(holder, issuer).replace(sha256_rsa, sha1_rsa)
    yield "try later", failed.public_bytes(DER)
    yield "unknown", answered(holder, issuer, UNKNOWN)
    yield "another", answered(holder, issuer, about=other)
    yield "ended", answered(holder, issuer, updated=NOW - 3 * HOUR, until=NOW - HOUR)
    yield "to come", answered(holder, issuer, updated=NOW + HOUR, until=NOW + 2 * HOUR)
    yield "old and without end", answered(holder, issuer, updated=NOW - 2 * HOUR, until=None)
    yield "not named", answered(holder, issuer, signer=stranger, certificates=[stranger.certificate])
    yield "foreign", answered(holder, issuer, signer=foreign, certificates=[foreign.certificate])
    yield "named until yesterday", answered(holder, issuer, signer=ended, certificates=[ended.certificate])
    yield "altered", answered(holder, issuer)[:-20] + bytes(20)


def test_an_answer_that_does_not_count_is_none(pki, authority, responding):
    for name, content in bad_answers(pki, responding):
        authority.pages["/ocsp"] = content
        kept = {}
        assert refused(responding, pki, kept=kept).reason is Reason.REVOCATION_UNKNOWN, name
        assert kept == {}, name


def test_an_answer_counts_until_its_end_and_for_its_certificate_only(pki, authority, responding):
    kept, second = {}, pki.holder("Second", extensions=[by_ocsp(authority.url)])
    authority.pages["/ocsp"] = answered(responding, pki.intermediate)
    asked(responding, pki, kept=kept)
    asked(responding, pki, kept=kept, now=NOW + HOUR - timedelta(seconds=1))
    assert len(authority.asked) == 1
    authority.pages["/ocsp"] = answered(second, pki.intermediate, REVOKED)
    assert refused(second, pki, kept=kept).reason is Reason.REVOKED
    assert refused(responding, pki, kept=kept, now=NOW + HOUR).reason is Reason.REVOCATION_UNKNOWN


def test_an_answer_without_an_end_counts_for_a_while(pki, authority, responding):
    kept = {}
    authority.pages["/ocsp"] = answered(responding, pki.intermediate, updated=NOW, until=None)
    assert asked(responding, pki, kept=kept) == ()
    assert [one.until for one in kept.values()] == [NOW + revocation.UNSTATED]
