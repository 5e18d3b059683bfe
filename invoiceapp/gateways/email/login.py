"""AUTH (RFC 4954): one try with one mechanism, so that a wrong password counts once at the server."""

from __future__ import annotations

import base64
import smtplib
from collections.abc import Mapping
from typing import Any

from invoiceapp.gateways import oauth
from invoiceapp.gateways.base import Refused
from invoiceapp.outbound.guard import Guard
from invoiceapp.outbound.http import HttpClient

from .conversation import FAILURES, Conversation
from .failures import Stage, not_offered, refusal, text_of, while_connecting
from .fields import DEFAULT_PORT

#: Octets of a command line, RFC 5321 4.5.3.1.4.
_LONGEST_COMMAND = 512
_GOOD = 235
_CONTINUE = 334


def auth_of(config: Mapping[str, Any]) -> str:
    """``none``, ``password`` or ``oauth2``; gateways of before there was a choice have a user name or not."""
    return config.get("auth") or ("password" if config.get("username") else "none")


class Login:
    """Proves who we are, with one configuration; keeps its access token until that ends."""

    def __init__(self, config: Mapping[str, Any], guard: Guard, renewed: dict[str, str]) -> None:
        """``renewed``: as ``Transport.renewed``."""
        self._renewed = renewed
        self._config = config
        self._guard = guard
        self._token: oauth.Token | None = None
        self._refresh_token: str = config.get("refresh_token") or ""

    def enter(self, smtp: Conversation) -> None:
        """Log in as the settings say. Raises ``Refused`` or ``Unavailable``."""
        auth = auth_of(self._config)
        try:
            if auth == "oauth2":
                self._enter_with_token(smtp)
            elif auth == "password":
                _with_password(smtp, self._config["username"], self._config.get("password") or "")
        except FAILURES as error:
            raise while_connecting(error) from error

    def _enter_with_token(self, smtp: Conversation) -> None:
        if self._token is not None and self._token.is_good:
            try:
                return _with_token(smtp, self._config, self._token.access)
            except Refused:
                # It can be withdrawn before its end; a new one tells.
                self._token = None
        self._token = self._fetched(smtp)
        return _with_token(smtp, self._config, self._token.access)

    def _fetched(self, smtp: Conversation) -> oauth.Token:
        form = {
            "grant_type": "refresh_token",
            "refresh_token": self._refresh_token,
            **{name: self._config.get(name) or "" for name in ("client_id", "client_secret", "scope")},
        }
        with HttpClient(self._guard) as client:
            token = oauth.refresh(client, self._config["token_url"], form, smtp.deadline)
        if token.refresh_token and token.refresh_token != self._refresh_token:
            self._refresh_token = self._renewed["refresh_token"] = token.refresh_token
        return token


def _with_password(smtp: Conversation, username: str, password: str) -> None:
    offered = _offered(smtp)
    if "PLAIN" in offered:
        # RFC 4616: UTF-8, which smtplib's own login cannot write.
        _authenticate(smtp, "PLAIN", _base64(f"\0{username}\0{password}"))
    elif "LOGIN" in offered:
        _authenticate(smtp, "LOGIN", None, _base64(username), _base64(password))
    else:
        raise not_offered("neither PLAIN nor LOGIN")


def _with_token(smtp: Conversation, config: Mapping[str, Any], access: str) -> None:
    """By XOAUTH2 of Google and Microsoft, or by OAUTHBEARER (RFC 7628), which was made of it."""
    offered, username = _offered(smtp), config["username"]
    if "XOAUTH2" in offered:
        # The refused answers the reason with an empty line, and then hears the 535.
        _authenticate(smtp, "XOAUTH2", _base64(f"user={username}\x01auth=Bearer {access}\x01\x01"), "")
    elif "OAUTHBEARER" in offered:
        # RFC 5801 4: "=" and "," have a meaning of their own there.
        name = username.replace("=", "=3D").replace(",", "=2C")
        server = f"host={config['host']}\x01port={config.get('port') or DEFAULT_PORT}"
        said = f"n,a={name},\x01{server}\x01auth=Bearer {access}\x01\x01"
        # Here the refused answers with \x01 (RFC 7628 3.2.3).
        _authenticate(smtp, "OAUTHBEARER", _base64(said), _base64("\x01"))
    else:
        raise not_offered("neither XOAUTH2 nor OAUTHBEARER")


def _offered(smtp: Conversation) -> list[str]:
    return smtp.esmtp_features.get("auth", "").upper().split()


def _authenticate(smtp: Conversation, mechanism: str, first: str | None, *rest: str) -> None:
    """``first`` goes along with the command where it fits (RFC 4954 4)."""
    answers = list(rest)
    if first is not None and len(f"AUTH {mechanism} {first}\r\n") <= _LONGEST_COMMAND:
        code, reply = smtp.docmd("AUTH", f"{mechanism} {first}")
    else:
        answers = answers if first is None else [first, *answers]
        code, reply = smtp.docmd("AUTH", mechanism)
    while code == _CONTINUE and answers:
        smtp.send(f"{answers.pop(0)}\r\n")
        code, reply = smtp.getreply()
    if code == _CONTINUE:
        raise smtplib.SMTPServerDisconnected("AUTH without end")
    if code != _GOOD:
        raise refusal(Stage.LOGIN, code, text_of(reply))


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode("ascii")
