"""Companies and their people."""

from __future__ import annotations

from flask_security import hash_password
from flask_security.proxies import _security
from sqlalchemy import exists, select

from invoiceapp.domain.fields import FieldInvalid, parse_email
from invoiceapp.domain.findings import Text
from invoiceapp.domain.passwords import is_easy_to_guess
from invoiceapp.extensions import security
from invoiceapp.models import Membership, Role, Subscription, User
from invoiceapp.services.database import transaction
from invoiceapp.services.errors import Conflict, InvalidInput

SHORTEST_PASSWORD, LONGEST_PASSWORD = 12, 128


def create_owner(company: str, email: str, password: str) -> None:
    """A subscription and the user who owns it; one of that name that has nobody yet is taken over.

    Such a one was made by ``flask config apply``. Raises ``InvalidInput``, ``Conflict``.
    """
    email = email.strip().lower()
    try:
        parse_email(email)
    except FieldInvalid as error:
        raise InvalidInput({"email": error.text}) from error
    password = str(_security.password_util.normalize(password))
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise InvalidInput(
            {
                "password": Text(
                    "Adgangskoden skal have 12 til 128 tegn.", "The password needs between 12 and 128 characters."
                )
            }
        )
    if is_easy_to_guess(password, [*email.replace("@", ".").split("."), *company.lower().split()]):
        raise InvalidInput(
            {
                "password": Text(
                    "Den adgangskode er let at gætte. Tag nogle ord, der ikke har noget med hinanden at gøre.",
                    "This password is easy to guess. Take a few words that have nothing to do with each other.",
                )
            }
        )
    with transaction() as session:
        if session.scalar(select(User).where(User.email == email)) is not None:
            raise Conflict(
                Text("Der findes allerede en bruger med den e-mail.", "A user with that e-mail exists already.")
            )
        name = company.strip()[:200]
        has_members = exists().where(Membership.subscription_id == Subscription.id)
        subscription = session.scalar(select(Subscription).where(Subscription.name == name, ~has_members).limit(1))
        if subscription is None:
            subscription = Subscription(name=name)
            session.add(subscription)
        user = security.datastore.create_user(email=email, password=hash_password(password), active=True)
        session.flush()
        session.add(Membership(subscription_id=subscription.id, user_id=user.id, role=Role.OWNER))
