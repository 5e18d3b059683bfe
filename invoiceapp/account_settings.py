"""Settings of Flask-Security: nobody signs up by themselves, nothing is done by API, and its sentences are ours."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from invoiceapp.services.sign_in.account_links import LASTS
from invoiceapp.services.sign_in.second_factors import RECOVERY_CODES

from .config import Config
from .freshness import WITHIN
from .models import utcnow
from .passwords import HASHING
from .sign_in import N_, UNAUTHENTICATED

PAGE = "/account/security"
"""Where a person sees how they sign in"""
#: Seconds that a phone's clock may be wrong: the code of the moment before or after is taken as well.
CLOCK_SKEW = 30


def settings(config: Config) -> dict[str, Any]:
    """For ``app.config``."""
    return {
        # Flask-Security has no catalogue for "da"; what ours does not translate stays English.
        "SECURITY_I18N_DIRNAME": ["builtin", str(Path(__file__).parent / "translations")],
        "SECURITY_I18N_DOMAIN": "flask_security;messages",
        "SECURITY_PASSWORD_HASH": "argon2",
        "SECURITY_PASSWORD_HASH_PASSLIB_OPTIONS": HASHING,
        "SECURITY_PASSWORD_SALT": config.password_salt,
        "SECURITY_PASSWORD_LENGTH_MIN": 12,
        "SECURITY_PASSWORD_SINGLE_HASH": ["argon2"],
        "SECURITY_REGISTERABLE": False,
        "SECURITY_USE_REGISTER_V2": True,
        # Roles belong to memberships (models/people.py).
        "SECURITY_JOIN_USER_ROLES": False,
        "SECURITY_TRACKABLE": True,
        "SECURITY_DATETIME_FACTORY": utcnow,
        "SECURITY_RETURN_GENERIC_RESPONSES": True,
        "SECURITY_REDIRECT_ALLOW_SUBDOMAINS": False,
        "SECURITY_CSRF_IGNORE_UNAUTH_ENDPOINTS": False,
        "SECURITY_API_ENABLED_METHODS": ["session"],
        "SECURITY_STATIC_FOLDER": None,
        "SECURITY_CLI_USERS_NAME": False,
        "SECURITY_CLI_ROLES_NAME": False,
        "SECURITY_POST_LOGIN_VIEW": "/",
        "SECURITY_POST_LOGOUT_VIEW": "/login",
        "SECURITY_LOGOUT_METHODS": ["POST"],
        "SECURITY_FRESHNESS": WITHIN,
        "SECURITY_FRESHNESS_GRACE_PERIOD": timedelta(0),
        "SECURITY_POST_VERIFY_VIEW": PAGE,
        "WTF_CSRF_TIME_LIMIT": None,
        # Its check of the Referer knows the Host header only; ours (blueprints/policy.py) knows BASE_URL as well.
        "WTF_CSRF_SSL_STRICT": False,
        **_passwords(),
        **_codes(),
        **_passkeys(),
        **_messages(),
    }


def _passwords() -> dict[str, Any]:
    return {
        "SECURITY_CHANGEABLE": True,
        "SECURITY_POST_CHANGE_VIEW": PAGE,
        "SECURITY_RECOVERABLE": True,
        "SECURITY_RESET_PASSWORD_WITHIN": LASTS,
        # Signing in afterwards asks for the second factor.
        "SECURITY_AUTO_LOGIN_AFTER_RESET": False,
        "SECURITY_SEND_PASSWORD_CHANGE_EMAIL": False,
        "SECURITY_SEND_PASSWORD_RESET_EMAIL": False,
        "SECURITY_SEND_PASSWORD_RESET_NOTICE_EMAIL": False,
    }


def _codes() -> dict[str, Any]:
    return {
        "SECURITY_TWO_FACTOR": True,
        "SECURITY_TWO_FACTOR_REQUIRED": False,
        "SECURITY_TWO_FACTOR_ENABLED_METHODS": ["authenticator"],
        "SECURITY_TWO_FACTOR_AUTHENTICATOR_VALIDITY": CLOCK_SKEW,
        "SECURITY_TWO_FACTOR_ALWAYS_VALIDATE": True,
        "SECURITY_TWO_FACTOR_RESCUE_EMAIL": False,
        "SECURITY_TWO_FACTOR_POST_SETUP_VIEW": PAGE,
        "SECURITY_TWO_FACTOR_SETUP_URL": "/account/second-step",
        "SECURITY_TWO_FACTOR_TOKEN_VALIDATION_URL": "/login/code",
        "SECURITY_TWO_FACTOR_SELECT_URL": "/login/second-step",
        "SECURITY_TWO_FACTOR_RESCUE_URL": "/login/rescue",
        "SECURITY_TOTP_ISSUER": "invoiceapp",
        # Asked for, and not used: second_factors.Codes encrypts with our keys.
        "SECURITY_TOTP_SECRETS": {"0": ""},
        "SECURITY_MULTI_FACTOR_RECOVERY_CODES": True,
        "SECURITY_MULTI_FACTOR_RECOVERY_CODES_N": RECOVERY_CODES,
        "SECURITY_MULTI_FACTOR_RECOVERY_CODES_URL": "/account/recovery-codes",
        "SECURITY_MULTI_FACTOR_RECOVERY_URL": "/login/recovery-code",
    }


def _passkeys() -> dict[str, Any]:
    return {
        "SECURITY_WEBAUTHN": True,
        "SECURITY_WAN_RP_NAME": "invoiceapp",
        # Otherwise anybody could ask which passkeys an address has, and so whether it has an account.
        "SECURITY_WAN_ALLOW_USER_HINTS": False,
        "SECURITY_WAN_ALLOW_AS_MULTI_FACTOR": True,
        "SECURITY_WAN_REGISTER_WITHIN": timedelta(minutes=5),
        "SECURITY_WAN_SIGNIN_WITHIN": timedelta(minutes=5),
        "SECURITY_WAN_POST_REGISTER_VIEW": PAGE,
        "SECURITY_WAN_REGISTER_URL": "/account/passkeys",
        "SECURITY_WAN_DELETE_URL": "/account/passkeys/delete",
        "SECURITY_WAN_SIGNIN_URL": "/login/passkey",
        "SECURITY_WAN_VERIFY_URL": "/verify/passkey",
    }


def _messages() -> dict[str, Any]:
    """Flask-Security's sentences in our words, and by that in our catalogue."""
    return {f"SECURITY_MSG_{name}": message for name, message in _MESSAGES.items()}


_STARTED_TOO_EARLY = N_("It took too long. Start again.")
_DONE_WRONG = N_("That cannot be done from here. Start again.")
_NOT_RIGHT = N_("E-mail or password is wrong.")
_MESSAGES: Mapping[str, tuple[str, str]] = {
    "UNAUTHENTICATED": (UNAUTHENTICATED, "error"),
    "API_ERROR": (_DONE_WRONG, "error"),
    "INVALID_REDIRECT": (_DONE_WRONG, "error"),
    "UNAUTHORIZED": (N_("Your role does not allow that."), "error"),
    "REAUTHENTICATION_REQUIRED": (N_("Confirm that it is you"), "error"),
    "ANONYMOUS_USER_REQUIRED": (N_("You are signed in already."), "error"),
    "GENERIC_AUTHN_FAILED": (_NOT_RIGHT, "error"),
    "USER_DOES_NOT_EXIST": (_NOT_RIGHT, "error"),
    "INVALID_PASSWORD": (N_("The password is wrong."), "error"),
    "DISABLED_ACCOUNT": (N_("The account is deactivated. Ask an owner or administrator."), "error"),
    "EMAIL_NOT_PROVIDED": (N_("Write your e-mail address."), "error"),
    "INVALID_EMAIL_ADDRESS": (N_("That is not an e-mail address."), "error"),
    "INVALID_INPUT": (N_("That cannot be used."), "error"),
    "PASSWORD_NOT_PROVIDED": (N_("Write your password."), "error"),
    "PASSWORD_INVALID_LENGTH": (N_("Password must be at least %(length)s characters."), "error"),
    "PASSWORD_IS_THE_SAME": (N_("The new password must be another one than before."), "error"),
    "RETYPE_PASSWORD_MISMATCH": (N_("The two passwords are not the same."), "error"),
    "NO_RECOVERY_CODES_SETUP": (N_("You have no recovery codes"), "info"),
    "INVALID_CODE": (N_("The code is wrong."), "error"),
    "INVALID_RECOVERY_CODE": (N_("The recovery code is wrong or used. Each code works once."), "error"),
    "PASSWORD_RESET_EXPIRED": (N_("The link is too old. Ask for a new one."), "error"),
    "INVALID_RESET_PASSWORD_TOKEN": (N_("The link does not work any more. Ask for a new one."), "error"),
    "PASSWORD_RESET_NO_LOGIN": (N_("The new password is saved. Sign in with it."), "success"),
    "PASSWORD_CHANGE": (N_("The new password is saved. You are signed out everywhere else."), "success"),
    "REAUTHENTICATION_SUCCESSFUL": (N_("Thank you. You can go on."), "success"),
    "TWO_FACTOR_INVALID_TOKEN": (
        N_("The code is wrong, too old or already used. Write the newest one."),
        "error",
    ),
    "TWO_FACTOR_METHOD_NOT_AVAILABLE": (_DONE_WRONG, "error"),
    "TWO_FACTOR_LOGIN_SUCCESSFUL": (N_("You are signed in."), "success"),
    "TWO_FACTOR_CHANGE_METHOD_SUCCESSFUL": (N_("From now on, sign-in asks for a code from the app."), "success"),
    "TWO_FACTOR_PERMISSION_DENIED": (N_("Sign in from the beginning."), "error"),
    "TWO_FACTOR_DISABLED": (N_("Sign-in no longer asks for a code from the app."), "success"),
    "TWO_FACTOR_SETUP_EXPIRED": (_STARTED_TOO_EARLY, "error"),
    "WEBAUTHN_EXPIRED": (_STARTED_TOO_EARLY, "error"),
    "WEBAUTHN_NAME_REQUIRED": (N_("Give the passkey a name, such as the device's."), "error"),
    "WEBAUTHN_NAME_INUSE": (N_("You have a passkey with that name already."), "error"),
    "WEBAUTHN_NAME_NOT_FOUND": (N_("You have no passkey with that name."), "error"),
    "WEBAUTHN_NAME_DISALLOWED_CHARACTERS": (N_("Use letters, figures, spaces and hyphens in the name."), "error"),
    "INVALID_INPUT_LENGTH": (N_("That is too long."), "error"),
    "WEBAUTHN_CREDENTIAL_DELETED": (N_("The passkey “%(name)s” is deleted."), "success"),
    "WEBAUTHN_REGISTER_SUCCESSFUL": (N_("The passkey “%(name)s” is ready to use."), "success"),
    "WEBAUTHN_CREDENTIAL_ID_INUSE": (N_("That passkey is in use already."), "error"),
    "WEBAUTHN_UNKNOWN_CREDENTIAL_ID": (N_("That passkey is not known here. Sign in in another way."), "error"),
    "WEBAUTHN_ORPHAN_CREDENTIAL_ID": (N_("That passkey is not known here. Sign in in another way."), "error"),
    "WEBAUTHN_NO_VERIFY": (N_("The passkey was not accepted. Try again, or sign in in another way."), "error"),
    "WEBAUTHN_CREDENTIAL_WRONG_USAGE": (N_("That passkey is for the other step of signing in."), "error"),
    "WEBAUTHN_MISMATCH_USER_HANDLE": (N_("That passkey belongs to somebody else."), "error"),
}
