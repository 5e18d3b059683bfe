"""The kinds of gateways in groups, told from what each declares of itself: which way an accountant would look for it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from flask_babel import gettext as _

from invoiceapp.domain.fields import FieldType
from invoiceapp.services.configuration import gateways


class Way(IntEnum):
    """In the order of the page."""

    CHOOSES = 1
    PROVIDER = 2
    OWN = 3
    STRAIGHT = 4
    MAIL = 5


@dataclass(frozen=True, slots=True)
class Group:
    """Some kinds of gateways under one heading."""

    title: str
    text: str
    kinds: list[tuple[str, Any]]


def way_of(transport: Any) -> Way:
    """An access point of one's own must be told where to send (``wants_endpoint``); a provider finds out itself."""
    if not transport.sends:
        return Way.CHOOSES
    if transport.networks:
        return Way.OWN if transport.wants_endpoint else Way.PROVIDER
    return Way.MAIL if transport.by_email else Way.STRAIGHT


def _is_general(transport: Any) -> bool:
    """Whether it has no address of its own: for partners that have no kind to themselves."""
    return any(field.required and field.type is FieldType.URL for field in transport.fields)


def _of(way: Way) -> list[tuple[str, Any]]:
    found = [(kind, one) for kind, one in gateways.kinds().items() if way_of(one) is way]
    return sorted(found, key=lambda pair: _is_general(pair[1])) if way is Way.PROVIDER else found


def groups() -> list[Group]:
    """All kinds of this installation; groups without any are left out."""
    words = {
        Way.CHOOSES: (_("Let the customer decide"), _("Finds for each customer the way that it is registered for. It sends through your other gateways, so make one with a "
              "provider too.")),
        Way.PROVIDER: (
            _("NemHandel and Peppol through a provider"),
            _("The usual way: an agreement with a provider, and no certificate of your own. Invoices to public bodies in Denmark "
              "need a provider that reaches NemHandel."),
        ),
        Way.OWN: (
            _("NemHandel and Peppol by an access point of your own"),
            _("For those who have a certificate for it themselves."),
        ),
        Way.STRAIGHT: (
            _("Straight to one receiver or operator"),
            _("Ask the receiver. If they can take several, AS2 and VANS with answers give the best proof that an invoice arrived, "
              "then SFTP, HTTP and Dropbox, then FTP."),
        ),
        Way.MAIL: (_("E-mail"), _("Reaches everybody, and proves the least.")),
    }  # fmt: skip
    return [Group(*words[way], kinds) for way in Way if (kinds := _of(way))]
