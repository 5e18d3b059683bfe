"""Sign-in at an identity provider (OpenID Connect Core 1.0, code flow with PKCE), where the installation has one.

Nobody gets an account by it. Whose account at the provider is linked gets in; else who has a user here with the e-mail that
the provider vouches for, and is linked by that. The provider is asked through the outbound guard, outside transactions.
"""

from __future__ import annotations

import json
import logging
import secrets
import time
from base64 import b64encode
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from authlib.oauth2.rfc7636 import create_s256_code_challenge  # type: ignore[import-untyped]
from authlib.oidc.core import CodeIDToken  # type: ignore[import-untyped]
from flask import current_app
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from invoiceapp.config import IdentityProvider
from invoiceapp.current import config
from invoiceapp.domain.findings import Text
from invoiceapp.models import Identity, User, db, utcnow
from invoiceapp.outbound.deadline import Deadline
from invoiceapp.outbound.errors import OutboundError
from invoiceapp.outbound.guard import Guard
from invoiceapp.outbound.http import Answer, HttpClient
from invoiceapp.services.database import reading, transaction
from invoiceapp.services.errors import Conflict, ServiceError

log = logging.getLogger(__name__)

CALLBACK = "/oidc/callback"
#: Signatures with a key that the provider publishes; never "none", never a shared secret.
_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
#: Seconds that two clocks may differ.
_LEEWAY = 60
_SECONDS, _STEP = 20.0, 10.0
#: Seconds that addresses and keys of the provider are used before they are asked for again.
_KEPT = 300.0


@dataclass(frozen=True, slots=True)
class Asked:
    """What a question to the provider was, kept in the session until the answer."""

    state: str
    nonce: str
    verifier: str
    at: int
    """Seconds since 1970"""
    is_again: bool
    """Whether the person has to show anew who they are"""

    def to_json(self) -> dict[str, Any]:
        """For the session."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Account:
    """Who the provider says it is."""

    issuer: str
    subject: str
    email: str
    """Lower case; empty where the provider does not vouch for it"""


def provider() -> IdentityProvider | None:
    """None: people sign in here only."""
    return config().oidc


def ask(*, again: bool = False) -> tuple[str, Asked]:
    """The address at the provider to lead the person to. Raises ``ServiceError``."""
    known = _known()
    state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
    asked = Asked(state, nonce, verifier, int(utcnow().timestamp()), again)
    with _client() as client:
        endpoint = _discover(client, known)["authorization_endpoint"]
    query = {
        "response_type": "code", "client_id": known.client_id, "redirect_uri": _callback(), "scope": "openid email",
        "state": asked.state, "nonce": asked.nonce, "code_challenge": create_s256_code_challenge(asked.verifier),
        "code_challenge_method": "S256",
    }  # fmt: skip
    if again:
        query |= {"prompt": "login", "max_age": "0"}
    return f"{endpoint}{'&' if urlsplit(endpoint).query else '?'}{urlencode(query)}", asked


def answered(asked: Asked, state: str, code: str) -> Account:
    """Whom the provider names for the code. Raises ``ServiceError`` where anything about the answer is not as it must be."""
    if not secrets.compare_digest(asked.state.encode(), state.encode()):
        raise _refused("another state")
    known = _known()
    with _client() as client:
        found = _discover(client, known)
        members = _members(_post(client, found, known, asked, code), "token")
        try:
            token = _token(client, found["jwks_uri"], members["id_token"])
            return _account(known, asked, members, token)
        except (JoseError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise _refused(f"the id token: {error}") from error


def _token(client: HttpClient, address: str, text: str) -> jwt.Token:
    """An id token whose signature is the provider's, which may have new keys since they were asked for."""
    for is_anew in (False, True):
        keys = _kept(address, lambda: _members(_get(client, address), "keys"), is_anew=is_anew)
        try:
            return jwt.decode(text, KeySet.import_key_set(keys), algorithms=_ALGORITHMS)  # type: ignore[arg-type]
        except (JoseError, ValueError):
            if is_anew:
                raise
    raise AssertionError


def _account(known: IdentityProvider, asked: Asked, members: dict[str, Any], token: jwt.Token) -> Account:
    options = {"iss": {"essential": True, "value": known.issuer}, "aud": {"essential": True, "value": known.client_id}}
    params = {"nonce": asked.nonce, "client_id": known.client_id, "access_token": members.get("access_token")}
    claims = CodeIDToken(token.claims, token.header, options, params)
    claims.validate(int(utcnow().timestamp()), _LEEWAY)
    if asked.is_again and int(claims["auth_time"]) < asked.at - _LEEWAY:
        raise ValueError("the person did not sign in again")
    subject, email = claims["sub"], claims.get("email")
    if not isinstance(subject, str) or not 0 < len(subject) <= 255:
        raise ValueError("no subject")
    is_vouched_for = claims.get("email_verified") is True and isinstance(email, str)
    return Account(known.issuer, subject, str(email).strip().lower() if is_vouched_for else "")


def sign_in(account: Account) -> str:
    """The id of the person whose account it is. Raises ``ServiceError`` where it is nobody's, in the same words for all."""
    try:
        with transaction() as session:
            row = _linked(account)
            user = session.get(User, row.user_id) if row else _by_email(account)
            if user is None or not user.active:
                raise ServiceError(_STRANGER)
            if row is None:
                _link(user, account)
                user.confirmed_at = user.confirmed_at or utcnow()
            else:
                row.last_used_at = utcnow()
            return str(user.id)
    except IntegrityError as error:
        # Linked at this moment, to another account or from another window.
        raise ServiceError(_STRANGER) from error


def link(user_id: str, account: Account) -> None:
    """Let the person sign in with it. Raises ``Conflict`` where it is somebody else's, or they have another one."""
    try:
        with transaction() as session:
            row = _linked(account)
            if row is None:
                _link(session.get_one(User, user_id), account)
            elif row.user_id != user_id:
                raise Conflict(_TAKEN)
    except IntegrityError as error:
        raise Conflict(_TAKEN) from error


def unlink(user_id: str) -> None:
    """Forget it, where the person can sign in in another way. Raises ``Conflict``."""
    with transaction() as session:
        user = session.get_one(User, user_id, with_for_update={"of": User}, populate_existing=True)
        if not user.password and not user.webauthn:
            raise Conflict(_ONLY_WAY)
        row = _of(user_id)
        if row is not None:
            session.delete(row)


def is_linked(user_id: str) -> bool:
    """Whether the person can sign in at the provider."""
    return provider() is not None and _of(user_id) is not None


def require_same(user_id: str, account: Account) -> None:
    """Raises ``ServiceError`` where the account is not this person's."""
    with reading():
        row = _linked(account)
        if row is None or row.user_id != user_id:
            raise ServiceError(_SOMEBODY_ELSE)


def _linked(account: Account) -> Identity | None:
    query = select(Identity).where(Identity.issuer == account.issuer, Identity.subject == account.subject)
    return db.session.scalar(query)


def _of(user_id: str) -> Identity | None:
    return db.session.scalar(select(Identity).where(Identity.user_id == user_id, Identity.issuer == _known().issuer))


def _by_email(account: Account) -> User | None:
    """Somebody who is not linked to another account there: addresses are given to others when people leave."""
    if not account.email:
        return None
    user = db.session.scalar(select(User).where(func.lower(User.email) == account.email))
    return user if user is not None and _of(str(user.id)) is None else None


def _link(user: User, account: Account) -> None:
    row = Identity(user_id=user.id, issuer=account.issuer, subject=account.subject, last_used_at=utcnow())
    db.session.add(row)


def _known() -> IdentityProvider:
    known = provider()
    if known is None:
        raise ServiceError(_NONE)
    return known


def _callback() -> str:
    return config().base_url + CALLBACK


def _client() -> HttpClient:
    return HttpClient(Guard(config().outbound_networks, config().outbound_ports))


def _discover(client: HttpClient, known: IdentityProvider) -> dict[str, Any]:
    """Where the provider's parts are (OpenID Connect Discovery 1.0)."""
    address = known.issuer.rstrip("/") + "/.well-known/openid-configuration"
    return _kept(address, lambda: _checked(known, _members(_get(client, address), "configuration")))


def _kept(address: str, ask: Callable[[], dict[str, Any]], *, is_anew: bool = False) -> dict[str, Any]:
    """What the provider publishes there, for some minutes without asking again: everybody may start a sign-in."""
    kept: dict[str, tuple[float, dict[str, Any]]] = current_app.extensions.setdefault("invoiceapp.oidc", {})
    now = time.monotonic()
    if is_anew or address not in kept or now - kept[address][0] >= _KEPT:
        kept[address] = (now, ask())
    return kept[address][1]


def _checked(known: IdentityProvider, found: dict[str, Any]) -> dict[str, Any]:
    if found.get("issuer") != known.issuer:
        raise _refused("its configuration is another issuer's")
    for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
        parts = urlsplit(str(found.get(name, "")))
        if not parts.hostname or parts.scheme not in ("https", urlsplit(known.issuer).scheme):
            raise _refused(f"no safe {name}")
    return found


def _get(client: HttpClient, url: str) -> Answer:
    return _request(client, "GET", url, {"Accept": "application/json"})


def _post(client: HttpClient, found: dict[str, Any], known: IdentityProvider, asked: Asked, code: str) -> Answer:
    form = {
        "grant_type": "authorization_code", "code": code, "redirect_uri": _callback(), "code_verifier": asked.verifier,
    }  # fmt: skip
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
    # Basic where the provider does not say (OpenID Connect Discovery 1.0 section 3).
    if "client_secret_basic" in found.get("token_endpoint_auth_methods_supported", ["client_secret_basic"]):
        pair = f"{quote(known.client_id, safe='')}:{quote(known.client_secret, safe='')}"
        headers["Authorization"] = "Basic " + b64encode(pair.encode()).decode("ascii")
    else:
        form |= {"client_id": known.client_id, "client_secret": known.client_secret}
    return _request(client, "POST", found["token_endpoint"], headers, urlencode(form).encode("ascii"))


def _request(client: HttpClient, method: str, url: str, headers: dict[str, str], content: bytes = b"") -> Answer:
    try:
        answer = client.request(method, url, Deadline(_SECONDS, _STEP), headers=headers, content=content)
    except OutboundError as error:
        log.warning("the identity provider cannot be asked: %s", error.reason.value)
        raise ServiceError(_AWAY) from error
    if not answer.is_good:
        raise _refused(f"status {answer.status}")
    return answer


def _members(answer: Answer, what: str) -> dict[str, Any]:
    try:
        found = json.loads(answer.text)
    except ValueError as error:
        raise _refused(f"the {what} is no JSON") from error
    if not isinstance(found, dict):
        raise _refused(f"the {what} is no JSON object")
    return found


def _refused(why: str) -> ServiceError:
    """The log says why; the visitor may be who tampered with it."""
    log.warning("a sign-in at the identity provider was refused: %.200r", why)
    return ServiceError(_NOT_BELIEVED)


_NONE = Text("Her logger man ind med e-mail og adgangskode.", "Here one signs in with e-mail and password.")
_AWAY = Text(
    "Login-tjenesten kan ikke nås lige nu. Prøv igen om lidt, eller log ind på en anden måde.",
    "The login service cannot be reached now. Try again in a moment, or sign in in another way.",
)
_NOT_BELIEVED = Text(
    "Svaret fra login-tjenesten kunne ikke bruges. Prøv igen; bliver det ved, så sig det til den, der driver serveren.",
    "The answer of the login service could not be used. Try again; if it goes on, tell whoever runs the server.",
)
_STRANGER = Text(
    "Den konto kan ikke bruges her. Bed en ejer eller administrator om at invitere dig, eller log ind på en anden måde, og "
    "forbind kontoen under Login og sikkerhed.",
    "That account cannot be used here. Ask an owner or administrator to invite you, or sign in in another way and connect the "
    "account under Sign-in and security.",
)
_SOMEBODY_ELSE = Text(
    "Det var en anden konto end din. Log ind med din egen.",
    "That was another account than yours. Sign in with your own.",
)
_TAKEN = Text(
    "Kontoen hører allerede til en anden bruger, eller du har allerede forbundet en anden konto.",
    "The account belongs to another user already, or you have connected another account already.",
)
_ONLY_WAY = Text(
    "Vælg først en adgangskode. Ellers kan du ikke logge ind mere.",
    "Choose a password first. Otherwise you cannot sign in any more.",
)
