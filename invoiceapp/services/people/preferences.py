"""What a person has chosen for themselves."""

from __future__ import annotations

from invoiceapp.models import User
from invoiceapp.services.database import transaction


def choose_language(user_id: str, language: str) -> None:
    """Keep the language of a person's pages, for their next visit and their other computers."""
    with transaction() as session:
        session.get_one(User, user_id).language = language
