"""Flask-Security's sign-in forms with a limit on how often, and on the length of passwords.

The password library raises above 4,096 characters, and only where there is a
hash to compare with: that would be a fault page that tells which accounts exist.
"""

from __future__ import annotations

import secrets
from typing import Any

from email_validator import EmailNotValidError, validate_email
from flask import request
from flask import session as browser
from flask_babel import gettext as _
from flask_login import current_user
from flask_security import ChangePasswordForm, LoginForm, ResetPasswordForm, VerifyForm
from flask_security.proxies import _security
from flask_security.utils import get_message
from flask_wtf import FlaskForm
from wtforms import Field, ValidationError

from invoiceapp.services.sign_in import throttling

from .languages import say
from .passwords import PasswordRules
from .services.database import reading, transaction
from .sessions import FIRST_STEP

#: Characters of a password that is chosen now, and of one that is tried at all.
LONGEST_NEW, LONGEST_TRIED = 128, 1024


def N_(message: str) -> str:
    """Mark a text for the catalogue; Flask-Security translates it when it is shown."""
    return message


UNAUTHENTICATED = N_("Sign in to see the page.")


def _normalized(password: str) -> str:
    """As it is compared and hashed: Unicode normalization makes some characters many."""
    return str(_security.password_util.normalize(password))


def _is_overlong(password: object) -> bool:
    return isinstance(password, str) and max(len(password), len(_normalized(password))) > LONGEST_TRIED


def _replace_overlong(field: Field) -> None:
    """Try one that nobody has instead: refused like any wrong password, in the same words and time."""
    if _is_overlong(field.data):
        field.data = secrets.token_urlsafe(32)


def _account(email: object) -> str:
    """The e-mail as it is looked up, so that all its spellings are one account; a text of any kind is some account."""
    try:
        return validate_email(str(email), check_deliverability=False).normalized
    except EmailNotValidError:
        return str(email)


def is_throttled(form: FlaskForm, kind: throttling.Kind, account: str) -> bool:
    """Whether it is too early for another try; then the form says how long to wait."""
    try:
        throttling.check(kind, account=account, address=request.remote_addr)
    except throttling.Throttled as error:
        form.form_errors.append(say(error.text))
        return True
    return False


def note_try(kind: throttling.Kind, account: str, *, is_right: bool) -> None:
    """Count a wrong one, forget the wrong ones before a right one."""
    note = throttling.succeeded if is_right else throttling.failed
    note(kind, account=account, address=request.remote_addr)


class BoundedLoginForm(LoginForm):
    """Sign-in. Nobody stays signed in by a cookie alone (sessions.py), so there is nothing to tick for it."""

    remember = None

    def validate(self, **kwargs: Any) -> bool:
        """Whether the person is who they say."""
        _replace_overlong(self.password)
        account = _account(self.email.data)
        if is_throttled(self, "login", account):
            return False
        # Hashing takes a while, in which nobody else's writes have to wait.
        with reading() as session:
            is_valid = super().validate(**kwargs)
            user, rehashed = self.user, None
            if user is not None and user in session.dirty:
                rehashed = user.password
                session.expire(user)
        if user is not None and rehashed is not None:
            with transaction():
                user.password = rehashed
        # Without it, the form was not filled in and nothing was compared.
        if self.ifield is not None:
            note_try("login", account, is_right=self.user_authenticated)
        if is_valid:
            browser.pop(FIRST_STEP, None)
        return bool(is_valid)


class BoundedVerifyForm(VerifyForm):
    """The password once more, before an important change."""

    def validate(self, **kwargs: Any) -> bool:
        """Whether it is still the same person."""
        _replace_overlong(self.password)
        if is_throttled(self, "verify", self.user.email):
            return False
        is_valid = bool(super().validate(**kwargs))
        if self.password.data:
            note_try("verify", self.user.email, is_right=is_valid)
        return is_valid


class BoundedChangePasswordForm(ChangePasswordForm):
    """The current password and a new one."""

    def validate(self, **kwargs: Any) -> bool:
        """Whether the current one is right and the new one may be taken."""
        _replace_overlong(self.password)
        account = current_user.email
        if is_throttled(self, "verify", account):
            return False
        is_valid = bool(super().validate(**kwargs))
        is_wrong = get_message("INVALID_PASSWORD")[0] in self.password.errors
        if is_wrong or is_valid:
            note_try("verify", account, is_right=is_valid)
        return is_valid

    def validate_new_password(self, field: Field) -> None:
        """Flask-Security has the same limit, but tells of the shortest length only."""
        _require_bounded(field)


class BoundedResetPasswordForm(ResetPasswordForm):
    """A new password for somebody who came by a link."""

    def validate_password(self, field: Field) -> None:
        """As ``BoundedChangePasswordForm``."""
        _require_bounded(field)


def _require_bounded(field: Field) -> None:
    if len(_normalized(field.data or "")) > LONGEST_NEW:
        raise ValidationError(_("Password must be at most %(count)s characters.", count=LONGEST_NEW))


#: Arguments of ``Security.init_app``.
FORMS: dict[str, Any] = {
    "login_form": BoundedLoginForm,
    "verify_form": BoundedVerifyForm,
    "change_password_form": BoundedChangePasswordForm,
    "reset_password_form": BoundedResetPasswordForm,
    "password_util_cls": PasswordRules,
}
