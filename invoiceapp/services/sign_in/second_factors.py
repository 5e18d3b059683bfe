"""What a sign-in asks for besides the password: codes that are used up, recovery codes, and who must have one."""

from __future__ import annotations

import hashlib
import secrets
from uuid import uuid4

from sqlalchemy import or_, update

from invoiceapp.domain.findings import Text
from invoiceapp.models import Role, User, db
from invoiceapp.models.passkey import SECOND
from invoiceapp.services import audit
from invoiceapp.services.database import changed, transaction
from invoiceapp.services.people.access import is_active
from invoiceapp.services.sign_in.account_links import find

RECOVERY_CODES = 8
#: Without letters and figures that are mistaken for one another. 24 of them are 118 bits, which need neither salt nor
#: a slow hash.
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
_GROUPS, _GROUP = 6, 4
FORGOTTEN = Text(
    "Den, der driver serveren, har fjernet koder fra app, passkeys og nødkoder fra din bruger. Sæt dem op igen.",
    "Whoever runs the server has removed app codes, passkeys and recovery codes from your account. Set them up again.",
)


def has_second_factor(user: User) -> bool:
    """Whether a password alone does not sign the person in."""
    return bool(user.tf_primary_method and user.tf_totp_secret) or any(key.usage == SECOND for key in user.webauthn)


def lacks_second_factor(user: User) -> bool:
    """Whether a subscription asks its owners and administrators for a second factor, and this one has none."""
    is_asked = any(
        row.subscription.needs_second_factor and row.role in (Role.OWNER, Role.ADMIN) and is_active(row)
        for row in user.memberships
    )
    return is_asked and not has_second_factor(user)


def use_counter(user: User, counter: int) -> bool:
    """Use up the code of this moment and all older ones; whether it was still unused. In the caller's transaction."""
    result = db.session.execute(
        update(User)
        .where(
            User.fs_uniquifier == user.fs_uniquifier,
            or_(User.tf_last_counter.is_(None), User.tf_last_counter < counter),
        )
        .values(tf_last_counter=counter)
        .execution_options(synchronize_session=False)
    )
    return changed(result)


def new_recovery_codes(user: User) -> list[str]:
    """Codes that replace the older ones; only here are they readable. In the caller's transaction."""
    codes = ["-".join(_group() for _ in range(_GROUPS)) for _ in range(RECOVERY_CODES)]
    user.mf_recovery_codes = [_hash(code) for code in codes]
    return codes


def take_recovery_code(user: User, code: str) -> bool:
    """Use a code up; whether it was one that was left. In the caller's transaction, with the row locked."""
    locked = db.session.get_one(User, user.id, with_for_update={"of": User}, populate_existing=True)
    left = locked.mf_recovery_codes or []
    locked.mf_recovery_codes = [kept for kept in left if kept != _hash(code)]
    return len(locked.mf_recovery_codes) < len(left)


def forget_recovery_codes(user: User) -> None:
    """They open nothing where no second factor is left, and must not come back with the next one."""
    if not has_second_factor(user):
        user.mf_recovery_codes = None


def forget_all(email: str) -> User:
    """For a person who has lost them: app, passkeys and recovery codes are gone, and all sessions and API keys end.

    For a command; whoever runs the server knows whom they help. Raises ``ServiceError`` where no active user has the e-mail.
    """
    with transaction() as session:
        user = session.get_one(User, find(email).id, with_for_update={"of": User}, populate_existing=True)
        user.tf_primary_method = user.tf_totp_secret = user.mf_recovery_codes = None
        user.webauthn.clear()
        user.fs_uniquifier = uuid4().hex
        audit.note_of_person("second_factor.forgotten", user)
    return user


def _group() -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(_GROUP))


def _hash(code: str) -> str:
    """Of what was meant: spaces, hyphens and capitals do not count."""
    return hashlib.sha256("".join(code.split()).replace("-", "").lower().encode()).hexdigest()
