"""Flask-Security's second factors as we want them.

TOTP secrets are encrypted by ``services/secrets.py``, bound to the person, so that ``flask secrets rotate`` covers them
and an older of ENCRYPTION_KEYS still opens them: Flask-Security's own TOTP_SECRETS would be neither rotated nor ordered as
our keys are. A code is used once. Recovery codes are kept as hashes and shown once.
"""

from __future__ import annotations

import base64
import io
import logging
from typing import Any
from urllib.parse import urlsplit

import qrcode  # type: ignore[import-untyped]
from flask import request, session
from flask_login import current_user
from flask_security import MfRecoveryCodesUtil, Totp, WebauthnUtil
from passlib.exc import TokenError
from passlib.totp import TOTP
from qrcode.image.svg import SvgPathFillImage  # type: ignore[import-untyped]
from webauthn.helpers.structs import AuthenticatorSelectionCriteria, ResidentKeyRequirement, UserVerificationRequirement

from invoiceapp.current import config
from invoiceapp.models.passkey import FIRST
from invoiceapp.services import secrets
from invoiceapp.services.sign_in import second_factors

log = logging.getLogger(__name__)

#: Of the session: the question that a passkey is asked just now.
CHALLENGE = "passkey_challenge"


class Codes(Totp):
    """Codes of authenticator apps (RFC 6238)."""

    def __init__(self, _secrets: dict[str, str], issuer: str) -> None:
        self._totp = TOTP.using(issuer=issuer)

    def generate_totp_secret(self) -> str:
        """A new secret for the signed-in person, encrypted."""
        return secrets.encrypt(self._totp.new().base32_key, secrets.totp_context(str(current_user.id)))

    def _open(self, totp_secret: str, user: Any) -> Any:
        return self._totp(key=secrets.decrypt(totp_secret, secrets.totp_context(str(user.id))), format="base32")

    def verify_totp(self, token: str, totp_secret: str, user: Any, window: int = 0) -> bool:
        """Whether it is the person's code of now, and was not used before. Uses it up."""
        try:
            match = self._open(totp_secret, user).match(token, window=window, last_counter=user.tf_last_counter)
        except TokenError:
            return False
        except secrets.SecretUnreadable:
            log.error("the second factor of user %s cannot be read: no key of ENCRYPTION_KEYS opens it", user.id)
            return False
        return second_factors.use_counter(user, match.counter)

    def fetch_setup_values(self, totp: str, user: Any) -> dict[str, str]:
        """What an app needs, as a picture and as text."""
        opened = self._open(totp, user)
        uri = opened.to_uri(user.email)
        key = {"key": opened.pretty_key(), "b32key": opened.base32_key, "uri": uri, "image": _picture(uri)}
        return key | {"username": user.email, "issuer": opened.issuer}


def _picture(uri: str) -> str:
    """A QR code on white, whatever the page's colours, as the source of an ``img``."""
    drawn = io.BytesIO()
    qrcode.make(uri, image_factory=SvgPathFillImage).save(drawn)
    return "data:image/svg+xml;base64," + base64.b64encode(drawn.getvalue()).decode("ascii")


class RecoveryCodes(MfRecoveryCodesUtil):
    """Codes for the day the phone is gone."""

    def create_recovery_codes(self, user: Any) -> list[str]:
        """New ones; the older ones are void."""
        return second_factors.new_recovery_codes(user)

    def get_recovery_codes(self, user: Any) -> list[str]:
        """None can be read again."""
        return []

    def check_recovery_code(self, user: Any, code: str) -> bool:
        """Whether it was one that was left; it is used up at once, so that no two requests can both use it."""
        return second_factors.take_recovery_code(user, code)

    def delete_recovery_code(self, user: Any, code: str) -> bool:
        """Nothing is left to do."""
        return True


class PasskeyUtil(WebauthnUtil):
    """A passkey instead of a password asks for finger, face or PIN; one after a password needs only to be there."""

    def generate_challenge(self, nbytes: int | None = None) -> str:
        """Kept in the session, so that an answer counts once and in this browser only (``account_forms``)."""
        challenge = session[CHALLENGE] = str(super().generate_challenge(nbytes))
        return challenge

    def origin(self) -> str:
        """Where people are, also behind a proxy that passes the host without its port."""
        base = urlsplit(config().base_url)
        is_there = base.hostname == urlsplit(request.host_url).hostname
        return f"{base.scheme}://{base.netloc}" if is_there else str(super().origin())

    def authenticator_selection(self, user: Any, usage: str) -> AuthenticatorSelectionCriteria:
        """Any device may keep it. One that is used instead of a password must be found without a name."""
        is_first = usage == FIRST
        return AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED if is_first else ResidentKeyRequirement.DISCOURAGED,
            user_verification=self.user_verification(user, [usage]),
        )

    def user_verification(self, user: Any, usage: list[str]) -> UserVerificationRequirement:
        """``usage``: what the passkey may be for; both where a signed-in person shows who they are."""
        return UserVerificationRequirement.REQUIRED if usage == [FIRST] else UserVerificationRequirement.DISCOURAGED
