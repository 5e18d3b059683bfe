"""The pages of API keys: made, shown once, listed and revoked."""

from __future__ import annotations

import re

from flask.testing import FlaskClient
from sqlalchemy import select

from invoiceapp.models import Adaptor, ApiToken, Membership, Role, Subscription, db
from invoiceapp.services.sign_in import tokens

PATH = "/account/api-keys"
FORM = {"name": "Excel <b>", "scope": "read", "days": "30"}


def the_token() -> ApiToken:
    return db.session.scalars(select(ApiToken).execution_options(populate_existing=True)).one()


def test_a_key_is_made_and_shown_once(app, signed_in: FlaskClient, submit, subscription, adaptor):
    signed_in.get("/account/api-keys/new")
    answer = submit(signed_in, f"{PATH}/new", FORM | {"subscription": subscription.id})
    assert answer.status_code == 200 and answer.headers["Cache-Control"] == "no-store"
    text = re.search(r'value="(ia_[^"]+)"', answer.text)[1]
    bearer = {"Authorization": f"Bearer {text}"}
    assert app.test_client().get("/api/v1/adaptors", headers=bearer).get_json()["adaptors"][0]["id"] == adaptor.id
    page = signed_in.get(PATH).text
    assert "Excel &lt;b&gt;" in page and text not in page and the_token().public_id in page
    # Reloading the answer sends the form again.
    again = submit(signed_in, f"{PATH}/new", FORM | {"subscription": subscription.id})
    assert again.status_code == 422 and "ia_" not in re.sub(r"ia_[0-9a-f]{12}_…", "", again.text)


def test_what_was_typed_stays_and_says_what_is_wrong(signed_in, submit, subscription, adaptor):
    db.session.add(Adaptor(subscription_id=subscription.id, name="Andet", source_kind="billy", settings={}))
    db.session.commit()
    sent = {"subscription": subscription.id, "name": "", "scope": "operate", "days": "400", "adaptors": [adaptor.id]}
    page = submit(signed_in, f"{PATH}/new", sent)
    assert page.status_code == 422
    for part in ('id="field-name-error"', 'id="field-days-error"', 'value="400"'):
        assert part in page.text
    assert re.search(rf'value="{adaptor.id}"\s+checked', page.text) and re.search(
        r'value="operate"\s+checked', page.text
    )


def test_making_a_key_asks_who_it_is_once_more(signed_in, submit, subscription):
    with signed_in.session_transaction() as session:
        session["fs_paa"] = 0
    assert "/verify" in signed_in.get(f"{PATH}/new").headers["Location"]
    answer = submit(signed_in, f"{PATH}/new", FORM | {"subscription": subscription.id})
    assert "/verify" in answer.headers["Location"]
    assert db.session.scalars(select(ApiToken)).all() == []


def test_nobody_makes_a_key_for_a_subscription_or_an_adaptor_that_is_not_theirs(member, submit, subscription, adaptor):
    other = Subscription(name="Fremmed A/S")
    adaptor.grants = []
    db.session.add(other)
    db.session.commit()
    assert submit(member, f"{PATH}/new", FORM | {"subscription": other.id}).status_code == 404
    sent = FORM | {"subscription": subscription.id, "adaptors": [adaptor.id]}
    assert submit(member, f"{PATH}/new", sent).status_code == 404
    assert db.session.scalars(select(ApiToken)).all() == []


def test_a_key_can_be_revoked_by_its_person_and_by_who_administers(member, signed_in, stranger, submit, subscription):
    row = db.session.scalars(select(Membership).where(Membership.role == Role.MEMBER)).one()
    text = tokens.make(row, "Excel", "read", "9", (), ())
    token_id = the_token().id
    for client, path in ((signed_in, PATH), (stranger, PATH), (stranger, "/api-keys"), (member, "/api-keys")):
        assert submit(client, f"{path}/{token_id}/revoke").status_code in (403, 404)
        assert the_token().revoked_at is None
    assert member.get("/api-keys").status_code == 403
    page = signed_in.get("/api-keys").text
    assert "medarbejder@example.com" in page and text not in page
    assert token_id not in stranger.get("/api-keys").text and token_id not in signed_in.get(PATH).text
    assert submit(signed_in, f"/api-keys/{token_id}/revoke").status_code == 303
    assert the_token().revoked_by == "ejer@example.com"
    assert "revoke-" not in member.get(PATH).text
    tokens.make(row, "Ny", "read", "9", (), ())
    newest = tokens.of_person(row.user_id)[0].id
    assert submit(member, f"{PATH}/{newest}/revoke").status_code == 303
    assert tokens.of_person(row.user_id)[0].revoked_by == "medarbejder@example.com"


def test_pages_without_keys_say_what_they_are_for(signed_in):
    for path in (PATH, "/api-keys"):
        assert signed_in.get(path).status_code == 200
    assert PATH in signed_in.get("/inbox").text


def test_who_may_only_look_is_offered_keys_that_only_read(member: FlaskClient, adaptor):
    def offered() -> bool:
        return 'value="operate"' in member.get(f"{PATH}/new").text

    adaptor.grants = [{"to": "everybody", "level": "viewer"}]
    db.session.commit()
    assert not offered()
    adaptor.grants = [{"to": "everybody", "level": "operator"}]
    db.session.commit()
    assert offered()
    db.session.scalars(select(Membership).where(Membership.role == Role.MEMBER)).one().role = Role.AUDITOR
    db.session.commit()
    assert not offered()
