"""Keys by which partners' machines prove who they are: a person confirms one, and from then on no other is taken."""

from __future__ import annotations

import re

from invoiceapp.domain.fields import Field, FieldInvalid, counting, parse
from invoiceapp.domain.findings import Text
from invoiceapp.gateways.base import CheckStep
from invoiceapp.models import Gateway
from invoiceapp.services.database import transaction
from invoiceapp.services.errors import Conflict, InvalidInput

from .gateways import transport_class

#: How the declared fields end that pin a server's key; a transport that is carried by others puts their names before it.
_HOST_KEY = "host_key"


def _host_key_field(gateway: Gateway) -> Field | None:
    """The one that counts as the gateway is set."""
    fields = transport_class(gateway).fields
    counts = counting(fields, gateway.config)
    return next((field for field in fields if field.name.endswith(_HOST_KEY) and field.name in counts), None)


def shown(gateway: Gateway, steps: list[CheckStep]) -> str | None:
    """The server key that a failed check showed, where none is confirmed yet: a person may confirm it.

    None where one is confirmed, so that a changed key is never one click away.
    """
    field = _host_key_field(gateway)
    if field is None or not field.pattern or gateway.config.get(field.name):
        return None
    found = (re.search(field.pattern, step.detail.en) for step in steps if not step.ok)
    return next((match.group() for match in found if match), None)


def trust(gateway_id: str, host_key: str) -> None:
    """Confirm a server's key. Raises ``InvalidInput``, and ``Conflict`` where one is confirmed already."""
    with transaction() as session:
        gateway = session.get_one(Gateway, gateway_id)
        field = _host_key_field(gateway)
        if field is None or gateway.config.get(field.name):
            raise Conflict(
                Text(
                    "Fingeraftrykket er allerede bekræftet. Ret det i feltet, hvis serverens nøgle er skiftet.",
                    "The fingerprint is confirmed already. Correct it in its field if the server's key was changed.",
                )
            )
        try:
            gateway.config = {**gateway.config, field.name: parse(field, host_key)}
        except FieldInvalid as error:
            raise InvalidInput({field.name: error.text}) from error
