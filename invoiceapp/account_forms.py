"""Flask-Security's forms for second factors and passkeys: tries are counted, codes may be written as people write them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import session
from flask_babel import gettext as _
from flask_security import (
    MfRecoveryForm,
    TwoFactorRescueForm,
    TwoFactorSelectForm,
    TwoFactorSetupForm,
    TwoFactorVerifyCodeForm,
    VerifyForm,
    WebAuthnRegisterForm,
    WebAuthnRegisterResponseForm,
    WebAuthnSigninResponseForm,
)
from flask_security.proxies import _security
from flask_security.utils import get_message
from webauthn.helpers.exceptions import WebAuthnException
from wtforms import Field, StringField

from invoiceapp.account_settings import CLOCK_SKEW
from invoiceapp.models.passkey import FIRST, SECOND
from invoiceapp.second_factors import CHALLENGE
from invoiceapp.services.sign_in import throttling
from invoiceapp.sign_in import BoundedVerifyForm, is_throttled, note_try

#: Nobody writes more for a code; what is longer is not even compared.
_LONGEST_CODE = 100
#: Flask-Security's names of what is said then (account_settings).
_WRONG: dict[throttling.Kind, str] = {"code": "TWO_FACTOR_INVALID_TOKEN", "recovery": "INVALID_RECOVERY_CODE"}


def _try(form: Any, kind: throttling.Kind, is_right: Callable[[], bool]) -> bool:
    """One counted try of a code."""
    if is_throttled(form, kind, form.user.email):
        return False
    was_right = is_right()
    note_try(kind, form.user.email, is_right=was_right)
    if not was_right:
        form.code.errors = [get_message(_WRONG[kind])[0]]
    return was_right


def _is_blank(field: Field) -> bool:
    return not 0 < len((field.data or "").strip()) <= _LONGEST_CODE


class _Chosen(StringField):  # type: ignore[misc]
    """A button's value. Flask-Security's lists of choices are in a form that WTForms is giving up; views write them here."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.choices: list[tuple[str, str]] = []


class AppForm(TwoFactorSetupForm):
    """Set up an authenticator app, or switch codes off."""

    setup = _Chosen()


class SecondStepForm(TwoFactorSelectForm):
    """App or passkey; the view refuses what the person has not."""

    which = _Chosen()


class RescueForm(TwoFactorRescueForm):
    """Not used, but made by the page that asks for a code."""

    help_setup = _Chosen()


class NewPasskeyNameForm(WebAuthnRegisterForm):
    """What a new passkey is called, and what it is for."""

    usage = _Chosen(default=FIRST)

    def validate(self, **kwargs: Any) -> bool:
        """Whether nothing else has that name."""
        if self.usage.data not in (FIRST, SECOND):
            self.usage.data = FIRST
        return bool(super().validate(**kwargs))


class WrongAtSetup(Exception):
    """The app is being set up, and the code is not right yet; Flask-Security would answer by a new secret."""

    def __init__(self, form: CodeForm) -> None:
        super().__init__()
        self.form = form


class CodeForm(TwoFactorVerifyCodeForm):
    """The code of the authenticator app, at sign-in and when the app is set up."""

    def validate(self, **kwargs: Any) -> bool:
        """Whether it is the code of now, for the first time. Raises ``WrongAtSetup``."""
        is_right = self._is_right(**kwargs)
        if self.is_setup and not is_right:
            raise WrongAtSetup(self)
        return is_right

    def _is_right(self, **kwargs: Any) -> bool:
        if _is_blank(self.code):
            self.code.errors = [_("Write the code that the app shows.")]
            return False
        return _try(self, "code", lambda: bool(super(CodeForm, self).validate(**kwargs)))


class RecoveryForm(MfRecoveryForm):
    """A recovery code instead."""

    def validate(self, **kwargs: Any) -> bool:
        """Whether it is one that is left. Uses it up."""
        if _is_blank(self.code):
            self.code.errors = [_("Write one of your recovery codes.")]
            return False
        return _try(self, "recovery", lambda: bool(super(RecoveryForm, self).validate(**kwargs)))


class VerifyAgainForm(BoundedVerifyForm):
    """The password once more, or a code of the authenticator app."""

    code = StringField()

    def validate(self, **kwargs: Any) -> bool:
        """Whether it is still the same person."""
        secret = self.user.tf_totp_secret
        if not secret or _is_blank(self.code):
            return super().validate(**kwargs)
        self.password.validators = ()
        if not super(VerifyForm, self).validate(**kwargs):
            return False
        return _try(
            self, "code", lambda: _security.totp_factory.verify_totp(self.code.data, secret, self.user, CLOCK_SKEW)
        )


def _answers(form: Any, validate: Callable[[], bool]) -> bool:
    """A passkey's answer to the question that this browser was asked last, and to no other."""
    if session.pop(CHALLENGE, None) != form.challenge:
        form.credential.errors = [_("The passkey was asked for something else. Start again.")]
        return False
    try:
        is_valid = bool(validate())
    except (WebAuthnException, ValueError, KeyError, TypeError, AttributeError):
        # Whatever a browser can send; the library names only some of it.
        form.credential.errors = [_("The passkey's answer cannot be used. Start again.")]
        return False
    # Flask-Security notes that an account is switched off, and goes on.
    return is_valid and not form.credential.errors


class NewPasskeyForm(WebAuthnRegisterResponseForm):
    """What the browser made."""

    def validate(self, **kwargs: Any) -> bool:
        """Whether it is a new passkey for us."""
        is_valid = _answers(self, lambda: super(NewPasskeyForm, self).validate(**kwargs))
        # What a browser says about itself is not looked at, and so not kept.
        self.extensions = ""
        return is_valid


class PasskeyForm(WebAuthnSigninResponseForm):
    """Signing in, or showing who one is, with a passkey."""

    def validate(self, **kwargs: Any) -> bool:
        """Whether it is a passkey of an active person."""
        # Nobody stays signed in by a cookie alone (sessions.py).
        self.remember.data = ""
        return _answers(self, lambda: super(PasskeyForm, self).validate(**kwargs))


#: Arguments of ``Security.init_app``.
FORMS: dict[str, Any] = {
    "verify_form": VerifyAgainForm,
    "two_factor_setup_form": AppForm,
    "two_factor_select_form": SecondStepForm,
    "two_factor_rescue_form": RescueForm,
    "two_factor_verify_code_form": CodeForm,
    "mf_recovery_form": RecoveryForm,
    "wan_register_form": NewPasskeyNameForm,
    "wan_register_response_form": NewPasskeyForm,
    "wan_signin_response_form": PasskeyForm,
}
