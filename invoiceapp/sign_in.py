"""Flask-Security's sign-in forms with a limit on the length of passwords.

The password library raises above 4,096 characters, and only where there is a
hash to compare with: that would be a fault page that tells which accounts exist.
"""

from __future__ import annotations

import secrets
from typing import Any

from flask_babel import gettext as _
from flask_security import ChangePasswordForm, LoginForm, VerifyForm
from flask_security.proxies import _security
from wtforms import Field, ValidationError

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


class BoundedLoginForm(LoginForm):
    """Sign-in."""

    def validate(self, **kwargs: Any) -> bool:
        """Whether the person is who they say."""
        _replace_overlong(self.password)
        return super().validate(**kwargs)


class BoundedVerifyForm(VerifyForm):
    """The password once more, before an important change."""

    def validate(self, **kwargs: Any) -> bool:
        """Whether it is still the same person."""
        _replace_overlong(self.password)
        return super().validate(**kwargs)


class BoundedChangePasswordForm(ChangePasswordForm):
    """The current password and a new one."""

    def validate(self, **kwargs: Any) -> bool:
        """Whether the current one is right and the new one may be taken."""
        _replace_overlong(self.password)
        return super().validate(**kwargs)

    def validate_new_password(self, field: Field) -> None:
        """Flask-Security has the same limit, but tells of the shortest length only."""
        if len(_normalized(field.data or "")) > LONGEST_NEW:
            raise ValidationError(_("Password must be at most %(count)s characters.", count=LONGEST_NEW))


#: Arguments of ``Security.init_app``.
FORMS: dict[str, Any] = {
    "login_form": BoundedLoginForm,
    "verify_form": BoundedVerifyForm,
    "change_password_form": BoundedChangePasswordForm,
}
