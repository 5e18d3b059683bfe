from __future__ import annotations

from flask.testing import FlaskClient

from invoiceapp.blueprints.gateways.choosing import Way, way_of
from invoiceapp.services.configuration import gateways


def test_kinds_stand_where_an_accountant_looks_for_them() -> None:
    ways = {kind: way_of(transport) for kind, transport in gateways.kinds().items()}
    assert ways["network"] is Way.CHOOSES
    assert {ways[kind] for kind in ("sproom", "ecourier", "storecove", "recommand", "accesspoint")} == {Way.PROVIDER}
    assert {ways[kind] for kind in ("sftp", "ftp", "as2", "vans", "http", "dropbox")} == {Way.STRAIGHT}
    assert ways["email"] is Way.MAIL


def test_an_own_access_point_is_no_provider() -> None:
    ways = {kind: way_of(transport) for kind, transport in gateways.kinds().items()}
    assert {ways[kind] for kind in ("peppol", "nemhandel")} == {Way.OWN}


def test_every_kind_can_be_chosen(signed_in: FlaskClient) -> None:
    text = signed_in.get("/gateways/new").text
    assert all(f'href="/gateways/new/{kind}"' in text for kind in gateways.kinds())
