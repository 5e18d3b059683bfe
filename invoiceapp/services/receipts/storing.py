"""What a partner sent is kept before anything is made of it: the bytes in the archive, a row to work on."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from invoiceapp.gateways.base import Incoming
from invoiceapp.models import Gateway, IncomingMessage, IncomingState, cut, db, new_id
from invoiceapp.services.database import transaction
from invoiceapp.services.export import archive

from .reading import ASKED_ABOUT


def keep(gateway: Gateway, incoming: Incoming) -> IncomingMessage:
    """Store a message; the same bytes from the same gateway again only count. Raises ``archive.ArchiveUnavailable``."""
    sha256 = archive.store(incoming.content)
    with transaction() as session:
        row = _known(gateway.id, sha256)
        if row is None:
            row = IncomingMessage(
                id=new_id(), subscription_id=gateway.subscription_id, gateway_id=gateway.id,
                name=name_of(incoming), headers=dict(incoming.headers), sha256=sha256,
                size=len(incoming.content), state=IncomingState.WAITING, times=1, outcome=[],
            )  # fmt: skip
            try:
                with session.begin_nested():
                    session.add(row)
                return row
            except IntegrityError:
                # The same message came twice at the same moment.
                row = _known(gateway.id, sha256)
                if row is None:
                    raise
        if _may_prove_more(row, incoming):
            # Read anew: what anybody may post first must not keep from counting what we are given by whoever is entitled to.
            row.headers, row.state, row.outcome = dict(incoming.headers), IncomingState.WAITING, []
        row.times = IncomingMessage.times + 1
    return row


def _may_prove_more(row: IncomingMessage, incoming: Incoming) -> bool:
    """Whether bytes that were posted, and prove nothing so far, have come by another way, or in another envelope."""
    was_posted = bool(row.headers) and ASKED_ABOUT not in row.headers
    return row.state is not IncomingState.MATCHED and was_posted and dict(incoming.headers) != row.headers


def name_of(incoming: Incoming) -> str:
    """As ``IncomingMessage.name``."""
    return cut(_printable(incoming.name), 255)


def _known(gateway_id: str, sha256: str) -> IncomingMessage | None:
    return db.session.scalar(
        select(IncomingMessage)
        .where(IncomingMessage.gateway_id == gateway_id, IncomingMessage.sha256 == sha256)
        .with_for_update()
        .execution_options(populate_existing=True)
    )


def _printable(name: str) -> str:
    """A partner's name for it, without what no database or page can hold."""
    return "".join(character if character.isprintable() else "?" for character in name)
