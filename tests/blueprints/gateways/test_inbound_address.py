from __future__ import annotations

from flask.testing import FlaskClient

from invoiceapp.models import Gateway, db
from invoiceapp.services.configuration import gateways


def _address(client: FlaskClient, gateway: Gateway) -> bool:
    return f'value="{gateways.inbound_url(gateway)}"' in client.get(f"/gateways/{gateway.id}").text


def test_an_access_point_of_ones_own_shows_where_others_send_to(signed_in: FlaskClient, gateway: Gateway) -> None:
    assert not _address(signed_in, gateway)
    gateway.kind, gateway.config = "peppol", {}
    db.session.commit()
    assert _address(signed_in, gateway)


def test_an_address_for_receipts_is_shown_only_where_the_settings_ask_for_it(
    signed_in: FlaskClient, gateway: Gateway
) -> None:
    gateway.kind, gateway.config = "as2", {"mdn": "sync"}
    db.session.commit()
    assert not _address(signed_in, gateway)
