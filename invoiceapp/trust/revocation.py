"""Whether a certificate has been revoked: OCSP (RFC 6960) first, the issuer's list (CRL, RFC 5280 6.3) where that is silent."""

from __future__ import annotations

from collections.abc import Callable, Iterator, MutableMapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, SignatureAlgorithmOID

from invoiceapp.outbound.deadline import Deadline
from invoiceapp.outbound.errors import OutboundError
from invoiceapp.outbound.http import HttpClient

from . import chains
from .chains import MALFORMED, STRONG, ChainError, Reason

#: Bytes. Lists of a national certificate authority have some megabytes.
LARGEST_LIST = 20_000_000
LARGEST_ANSWER = 100_000
#: By how much the issuer's clock may be ahead of ours.
SKEW = timedelta(minutes=5)
#: How long an OCSP answer counts that names no end (RFC 6960 4.2.2.1: newer ones are there all the time).
UNSTATED = timedelta(hours=1)


class Policy(StrEnum):
    """How much an answer is worth."""

    OFF = "off"
    """not asked"""
    SOFT = "soft"
    """asked; no answer is tolerated"""
    STRICT = "strict"
    """no answer is a no"""


@dataclass(frozen=True, slots=True)
class Kept:
    """A verified answer (DER) that counts until its issuer writes the next."""

    content: bytes
    until: datetime


class _Silent(Exception):
    """A source that gave no answer which proves anything."""


@dataclass(frozen=True, slots=True)
class _Sources:
    http: HttpClient
    deadline: Deadline
    kept: MutableMapping[str, Kept]
    now: datetime

    def get(self, key: str, method: str, url: str, content: bytes, most: int) -> bytes:
        found = self.kept.get(key)
        if found and found.until > self.now:
            return found.content
        headers = {"Content-Type": "application/ocsp-request"} if content else {}
        try:
            answer = self.http.request(method, url, self.deadline, headers=headers, content=content, most=most)
        except (OutboundError, TimeoutError) as error:
            raise _Silent(f"{url}: {error}") from None
        if answer.status != 200:
            raise _Silent(f"{url}: {answer.status}")
        return answer.body

    def keep(self, key: str, content: bytes, until: datetime) -> None:
        self.kept[key] = Kept(content, until)


def check(
    chain: Sequence[x509.Certificate], policy: Policy, http: HttpClient, deadline: Deadline,
    kept: MutableMapping[str, Kept], now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> tuple[str, ...]:  # fmt: skip
    """Asks about each certificate of a verified chain (``chains.verify``) but its anchor; what did not answer is returned.

    Raises ``ChainError`` (``REVOKED``; where the policy is strict ``REVOCATION_UNKNOWN``). ``kept`` is the caller's,
    and answers in it are used until they end.
    """
    if policy is Policy.OFF:
        return ()
    sources, silent = _Sources(http, deadline, kept, now()), list[str]()
    for certificate, issuer in pairwise(chain):
        name = certificate.subject.rfc4514_string()
        failures = list[str]()
        is_revoked = _first_answer(certificate, issuer, sources, failures)
        if is_revoked:
            raise ChainError(Reason.REVOKED, name)
        if is_revoked is None:
            silent.append(f"{name}: {'; '.join(failures) or 'names nobody to ask'}")
    if silent and policy is Policy.STRICT:
        raise ChainError(Reason.REVOCATION_UNKNOWN, " | ".join(silent))
    return tuple(silent)


def _first_answer(
    certificate: x509.Certificate, issuer: x509.Certificate, sources: _Sources, failures: list[str]
) -> bool | None:
    """Whether it is revoked; None where nobody says, with the reasons in ``failures``."""
    for ask, urls in ((_by_ocsp, _responders(certificate)), (_by_list, _distribution_points(certificate))):
        for url in urls:
            try:
                return ask(certificate, issuer, url, sources)
            except _Silent as error:
                failures.append(str(error))
    return None


def _responders(certificate: x509.Certificate) -> Iterator[str]:
    access = chains.extension(certificate, x509.AuthorityInformationAccess)
    for one in access or ():
        if one.access_method == AuthorityInformationAccessOID.OCSP:
            yield from _web_addresses([one.access_location])


def _distribution_points(certificate: x509.Certificate) -> Iterator[str]:
    for point in chains.extension(certificate, x509.CRLDistributionPoints) or ():
        # A list of another issuer (RFC 5280 6.3.3 f) would need that issuer's chain as well; neither network has one.
        if not point.crl_issuer:
            yield from _web_addresses(point.full_name or ())


def _web_addresses(names: Sequence[x509.GeneralName]) -> Iterator[str]:
    for name in names:
        if isinstance(name, x509.UniformResourceIdentifier) and name.value.startswith(("http://", "https://")):
            yield name.value


def _by_ocsp(certificate: x509.Certificate, issuer: x509.Certificate, url: str, sources: _Sources) -> bool:
    # SHA-1 names the certificate here and proves nothing; responders know no other (RFC 5019 2.1.1).
    request = ocsp.OCSPRequestBuilder().add_certificate(certificate, issuer, hashes.SHA1()).build()  # noqa: S303 # nosec B303
    key = f"{url} {chains.fingerprint(issuer)} {certificate.serial_number}"
    content = sources.get(key, "POST", url, request.public_bytes(serialization.Encoding.DER), LARGEST_ANSWER)
    try:
        response = ocsp.load_der_ocsp_response(content)
        if response.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
            raise _Silent(f"{url}: {response.response_status.name}")
        _require_responder(response, issuer, sources.now)
        single = _single(response, request)
    except (ChainError, *MALFORMED) as error:
        raise _Silent(f"{url}: {type(error).__name__} {error}") from None
    until = single.next_update_utc or single.this_update_utc + UNSTATED
    if not single.this_update_utc - SKEW <= sources.now < until:
        raise _Silent(f"{url}: an answer of another time")
    if single.certificate_status is ocsp.OCSPCertStatus.UNKNOWN:
        raise _Silent(f"{url}: unknown there")
    sources.keep(key, content, until)
    return single.certificate_status is ocsp.OCSPCertStatus.REVOKED


def _single(response: ocsp.OCSPResponse, request: ocsp.OCSPRequest) -> ocsp.OCSPSingleResponse:
    asked = (request.issuer_name_hash, request.issuer_key_hash, request.serial_number)
    for one in response.responses:
        if (one.issuer_name_hash, one.issuer_key_hash, one.serial_number) == asked:
            return one
    raise ValueError("an answer about another certificate")


def _require_responder(response: ocsp.OCSPResponse, issuer: x509.Certificate, now: datetime) -> None:
    """Signed by the issuer, or by somebody whom the issuer made responder (RFC 6960 4.2.2.2)."""
    for signer in (issuer, *(one for one in response.certificates if _is_delegate(one, issuer, now))):
        if _has_signed(signer, response):
            return
    raise ValueError("signed by nobody who may, or weakly")


def _is_delegate(certificate: x509.Certificate, issuer: x509.Certificate, now: datetime) -> bool:
    purposes = chains.extension(certificate, x509.ExtendedKeyUsage)
    if not purposes or ExtendedKeyUsageOID.OCSP_SIGNING not in purposes:
        return False
    try:
        chains.verify(certificate, (), issuer.public_bytes(serialization.Encoding.PEM).decode(), now)
    except ChainError:
        return False
    return True


def _has_signed(signer: x509.Certificate, response: ocsp.OCSPResponse) -> bool:
    key = signer.public_key()
    if response.signature_algorithm_oid == SignatureAlgorithmOID.RSASSA_PSS:
        # ``cryptography`` does not tell the parameters of an OCSP answer, so that each hash is tried.
        return isinstance(key, rsa.RSAPublicKey) and any(
            _verifies(key, response, (padding.PSS(padding.MGF1(kind()), padding.PSS.AUTO), kind())) for kind in STRONG
        )
    algorithm = response.signature_hash_algorithm
    if not isinstance(algorithm, STRONG):
        return False
    if isinstance(key, rsa.RSAPublicKey):
        return _verifies(key, response, (padding.PKCS1v15(), algorithm))
    return isinstance(key, ec.EllipticCurvePublicKey) and _verifies(key, response, (ec.ECDSA(algorithm),))


def _verifies(key: Any, response: ocsp.OCSPResponse, parameters: tuple[Any, ...]) -> bool:
    try:
        key.verify(response.signature, response.tbs_response_bytes, *parameters)
    except InvalidSignature:
        return False
    return True


def _by_list(certificate: x509.Certificate, issuer: x509.Certificate, url: str, sources: _Sources) -> bool:
    content = sources.get(url, "GET", url, b"", LARGEST_LIST)
    try:
        found = x509.load_der_x509_crl(content)
        _require_list(found, issuer)
        _require_scope(found, certificate, url)
        entry = found.get_revoked_certificate_by_serial_number(certificate.serial_number)
    except (ChainError, *MALFORMED) as error:
        raise _Silent(f"{url}: {type(error).__name__} {error}") from None
    until = found.next_update_utc
    if until is None or not found.last_update_utc - SKEW <= sources.now < until:
        raise _Silent(f"{url}: a list of another time")
    sources.keep(url, content, until)
    return entry is not None


def _require_list(found: x509.CertificateRevocationList, issuer: x509.Certificate) -> None:
    usage = chains.extension(issuer, x509.KeyUsage)
    if found.issuer != issuer.subject or (usage and not usage.crl_sign):
        raise ValueError("a list of another issuer")
    if not isinstance(found.signature_hash_algorithm, STRONG):
        raise ValueError("a weak signature")
    if not found.is_signature_valid(issuer.public_key()):  # type: ignore[arg-type]
        raise ValueError("the signature does not hold")


def _require_scope(found: x509.CertificateRevocationList, certificate: x509.Certificate, url: str) -> None:
    """Raises ``ValueError`` for a list that does not speak of this certificate (RFC 5280 5.2.5, 6.3.3 b)."""
    for extension in found.extensions:
        scope = extension.value
        if not isinstance(scope, x509.IssuingDistributionPoint):
            if extension.critical:
                raise ValueError(f"extension {extension.oid.dotted_string}")
            continue
        is_ca = bool((basic := chains.extension(certificate, x509.BasicConstraints)) and basic.ca)
        wrong_kind = scope.only_contains_user_certs if is_ca else scope.only_contains_ca_certs
        if wrong_kind or scope.indirect_crl or scope.only_some_reasons or scope.only_contains_attribute_certs:
            raise ValueError("a list of other certificates")
        if scope.full_name and url not in _web_addresses(scope.full_name):
            raise ValueError("a list of another distribution point")
