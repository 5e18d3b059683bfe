"""What a conversation left behind for the gateway: what the partner's machine showed of itself, and secrets it replaced."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from invoiceapp.models import Gateway, db, utcnow
from invoiceapp.services import secrets
from invoiceapp.services.database import transaction

AT = "at"


def note_seen(gateway_id: str, seen: Mapping[str, str]) -> None:
    """Keep it with the time; the row is written only where something changed, or once a day."""
    if not seen:
        return
    with transaction() as session:
        known = session.get_one(Gateway, gateway_id).seen
        at = known.get(AT)
        is_fresh = at is not None and datetime.fromisoformat(at).date() == utcnow().date()
        if is_fresh and {**known, **seen} == known:
            return
        gateway = session.get_one(Gateway, gateway_id, populate_existing=True, with_for_update={"key_share": True})
        gateway.seen = {**gateway.seen, **seen, AT: utcnow().isoformat()}
        db.session.flush()


def keep_renewed(gateway_id: str, opened_with: Mapping[str, str], renewed: Mapping[str, str]) -> None:
    """Seal secrets that the partner has replaced (``Transport.renewed``).

    ``opened_with`` are the stored secrets with which the transport was opened: where a person has entered another one
    meanwhile, theirs stays.
    """
    if not renewed:
        return
    with transaction() as session:
        gateway = session.get_one(Gateway, gateway_id, populate_existing=True, with_for_update={"key_share": True})
        new = {
            name: secrets.encrypt(value, f"gateway/{gateway_id}/{name}")
            for name, value in renewed.items()
            if gateway.secrets.get(name) == opened_with.get(name)
        }
        gateway.secrets = {**gateway.secrets, **new}
