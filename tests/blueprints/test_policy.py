"""What the policy check does with the rows an address names, and with requests that another site has sent."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient

from invoiceapp.blueprints.policy import parse
from invoiceapp.models import Adaptor, Gateway, Group, Membership, Role, Subscription, User, db, utcnow
from tests.conftest import _sign_in
from tests.support.people import joined


@pytest.fixture
def other(user: User) -> Adaptor:
    """An adaptor of a second subscription that the signed-in person owns, too."""
    row = Subscription(name="Anden ApS")
    db.session.add(row)
    db.session.flush()
    db.session.add(Membership(subscription_id=row.id, user_id=user.id, role=Role.OWNER))
    found = Adaptor(subscription_id=row.id, name="Andet Billy", source_kind="billy", source_config={}, settings={})
    db.session.add(found)
    db.session.commit()
    return found


def share(row: Adaptor | Gateway, *grants: dict[str, Any]) -> None:
    row.grants = list(grants)
    db.session.commit()


@pytest.mark.parametrize("name", ["", "adaptor", "adaptor:read", "public:view", "subscription:edit", "everything:view"])
def test_a_policy_that_means_nothing_is_refused_when_the_view_is_declared(name):
    with pytest.raises(ValueError, match="no such policy"):
        parse(name)


def test_a_view_without_a_policy_may_be_called_by_nobody(app, signed_in):
    app.add_url_rule("/forgotten", "forgotten", lambda: "reached")
    assert signed_in.get("/forgotten").status_code == 403


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "http://localhost"}, 303),
        ({"Origin": "http://localhost"}, 303),
        ({}, 303),
    ],
)
def test_a_form_of_another_site_is_refused_even_with_the_right_token(signed_in, submit, adaptor, headers, status):
    assert submit(signed_in, "/runs", headers=headers).status_code == status


@pytest.mark.parametrize(
    ("base_url", "host"),
    [
        ("https://localhost:8443", "localhost"),
        ("https://localhost:8443", "localhost:8443"),
        ("https://localhost", "localhost:443"),
        ("https://localhost", "localhost"),
    ],
)
def test_forms_work_behind_a_proxy_whatever_it_does_to_the_port(app, client, user, config, base_url, host):
    object.__setattr__(config, "base_url", base_url)
    here = {"base_url": "https://localhost", "environ_overrides": {"HTTP_HOST": host}}
    form = {"csrf_token": _token(client.get("/login", **here).text), "email": user.email, "password": "wrong"}
    statuses = [
        client.post("/login", data=form, headers={"Origin": origin, "Sec-Fetch-Site": site}, **here).status_code
        for origin, site in ((base_url, "same-origin"), ("https://evil.example", "cross-site"))
    ]
    assert statuses == [200, 403]


def test_a_foreign_page_cannot_send_forms_that_need_no_session(client):
    token = _token(client.get("/login").text)
    form = {"csrf_token": token, "language": "en"}
    assert client.post("/language", data=form, headers={"Origin": "https://evil.example"}).status_code == 403
    assert client.post("/language", data=form).status_code == 303


def test_what_is_not_shared_with_a_member_does_not_exist(member: FlaskClient, adaptor):
    share(adaptor)
    assert member.get(f"/source?adaptor={adaptor.id}").status_code == 404
    assert adaptor.name not in member.get("/").text


def test_a_viewer_sees_and_starts_nothing(member, submit, adaptor):
    share(adaptor, {"to": "everybody", "level": "viewer"})
    assert member.get("/runs").status_code == 200
    assert submit(member, "/runs").status_code == 403
    assert "Fetch new documents" not in member.get("/").text


def test_an_operator_runs_and_sets_nothing(member, submit, adaptor):
    assert submit(member, "/runs").status_code == 303
    assert submit(member, f"/settings/{adaptor.id}").status_code == 403


def test_an_editor_by_name_sets_what_is_shared_with_them(member, submit, adaptor, subscription):
    one = db.session.query(Membership).filter_by(role=Role.MEMBER).one()
    share(adaptor, {"to": "user", "level": "editor", "id": one.user_id})
    assert submit(member, f"/settings/{adaptor.id}").status_code != 403
    assert submit(member, f"/source/{adaptor.id}/connect", {"token": "x"}).status_code == 403
    adaptor.is_locked = True
    db.session.commit()
    assert submit(member, f"/settings/{adaptor.id}").status_code == 403


def test_an_editor_of_a_gateway_replaces_no_credentials(member, submit, gateway):
    share(gateway, {"to": "everybody", "level": "editor"})
    page = member.get(f"/gateways/{gateway.id}").text
    assert 'name="host"' in page and 'name="password"' not in page
    typed = {"name": "Ny", "host": "127.0.0.1", "port": "1", "username": "u", "folder": ".", "password": "stolen"}
    assert submit(member, f"/gateways/{gateway.id}", typed).status_code == 403


def test_a_gateway_that_is_not_shared_cannot_be_chosen_for_a_customer(member, submit, adaptor, gateway):
    share(adaptor, {"to": "everybody", "level": "editor"})
    share(gateway)
    answer = submit(member, f"/adaptors/{adaptor.id}/general", {"default_gateway": gateway.id})
    assert answer.status_code == 404
    adaptor.default_gateway_id = gateway.id
    db.session.commit()
    answer = submit(member, f"/adaptors/{adaptor.id}/general", {"default_gateway": gateway.id})
    assert answer.status_code != 404, "what the adaptor uses already may stay"


@pytest.mark.parametrize("ends", [{"suspended_at": utcnow()}, {"last_day": utcnow().date() - timedelta(days=2)}])
def test_a_membership_that_has_ended_gives_access_to_nothing(member, adaptor, ends):
    one = db.session.query(Membership).filter_by(role=Role.MEMBER).one()
    for name, value in ends.items():
        setattr(one, name, value)
    db.session.commit()
    answer = member.get("/")
    why = "er suspenderet af en ejer eller administrator. Spørg dem." if "suspended_at" in ends else "sluttede den "
    assert answer.status_code == 403 and f"Din adgang til {one.subscription.name} {why}" in answer.text
    assert 'action="/logout"' in answer.text


def test_who_was_never_invited_is_told_whom_to_ask(member):
    db.session.delete(db.session.query(Membership).filter_by(role=Role.MEMBER).one())
    db.session.commit()
    answer = member.get("/")
    assert answer.status_code == 403 and "Du har ikke adgang til nogen virksomhed" in answer.text


def test_a_link_to_another_company_of_mine_leads_there_and_says_so(signed_in, adaptor, other):
    assert adaptor.name in signed_in.get("/adaptors").text
    answer = signed_in.get(f"/adaptors/general?adaptor={other.id}")
    assert answer.status_code == 200 and "Du ser nu på Anden ApS." in answer.text
    assert other.name in signed_in.get("/adaptors").text


def test_a_form_of_the_company_that_was_left_is_refused(signed_in, submit, adaptor, other):
    token = _token(signed_in.get("/adaptors").text)
    signed_in.get(f"/adaptors/general?adaptor={other.id}")
    assert signed_in.post("/gateways/new/sftp", data={"csrf_token": token}).status_code == 400


def test_a_poll_of_a_window_that_shows_another_company_moves_nobody(signed_in, adaptor, other):
    own = signed_in.get("/adaptors").text
    assert other.name in signed_in.get("/adaptors", headers={"X-Subscription": other.subscription_id}).text
    assert signed_in.get(f"/runs?adaptor={other.id}", headers={"HX-Request": "true"}).status_code == 200
    assert adaptor.name in own and adaptor.name in signed_in.get("/adaptors").text


def test_rows_of_two_companies_in_one_address_do_not_exist(signed_in, submit, adaptor, other):
    assert submit(signed_in, f"/settings/{adaptor.id}?adaptor={other.id}").status_code == 404


def _token(page: str) -> str:
    return page.split('name="csrf-token" content="')[1].split('"')[0]


def _end(subscription_id: str) -> None:
    db.session.query(Membership).filter_by(subscription_id=subscription_id).update({"suspended_at": utcnow()})
    db.session.commit()


@pytest.fixture
def looks_at_other(signed_in, adaptor, other):
    """The token of a page of the other company, access to which has ended since."""
    token = _token(signed_in.get(f"/adaptors/general?adaptor={other.id}", follow_redirects=True).text)
    _end(other.subscription_id)
    return token


def test_a_form_of_a_company_that_one_may_no_longer_enter_is_done_nowhere(signed_in, looks_at_other):
    answer = signed_in.post("/people/groups", data={"csrf_token": looks_at_other, "name": "Ny"})
    assert answer.status_code == 409 and "Du har ikke længere adgang til Anden ApS. Intet er gjort." in answer.text
    assert signed_in.post("/people/groups", data={"csrf_token": looks_at_other, "name": "Ny"}).status_code == 400
    assert db.session.query(Group).count() == 0
    assert "Eksempel ApS" not in answer.text and signed_in.get("/adaptors").status_code == 200


def test_a_page_moves_on_from_a_company_that_one_may_no_longer_enter_and_its_forms_are_refused(
    signed_in, looks_at_other, adaptor
):
    page = signed_in.get("/adaptors").text
    assert "Anden ApS" in page and "Eksempel ApS" in page and adaptor.name in page
    assert signed_in.post("/people/groups", data={"csrf_token": looks_at_other, "name": "Ny"}).status_code == 400
    assert "Anden ApS" not in signed_in.get("/adaptors").text, "it is said once"


@pytest.mark.parametrize("headers", [{}, {"HX-Request": "true"}])
def test_a_request_of_a_window_that_shows_a_company_that_has_ended_is_not_found(
    signed_in, submit, adaptor, other, headers
):
    signed_in.get("/adaptors")
    _end(other.subscription_id)
    headers = {**headers, "X-Subscription": other.subscription_id}
    assert signed_in.get("/adaptors", headers=headers).status_code == 404
    assert submit(signed_in, "/people/groups", {"name": "Ny"}, headers=headers).status_code == 404
    assert db.session.query(Group).count() == 0


def test_the_first_company_shown_stays_the_one_that_forms_are_for(signed_in, adaptor, other):
    """Without a choice of the person's, the oldest is shown, and is not another one once its access has ended."""
    token = _token(signed_in.get("/adaptors").text)
    _end(adaptor.subscription_id)
    assert signed_in.post("/people/groups", data={"csrf_token": token, "name": "Ny"}).status_code == 409
    assert db.session.query(Group).count() == 0


def test_one_can_still_choose_and_sign_out_when_what_is_shown_has_ended(signed_in, looks_at_other, adaptor):
    data = {"csrf_token": looks_at_other}
    answer = signed_in.post(f"/subscriptions/{adaptor.subscription_id}/choose", data=data)
    assert answer.status_code == 303
    assert adaptor.name in signed_in.get("/adaptors").text


SENSITIVE = (
    "/keeping/terms", "/keeping/holds", "/people/groups", "/people/groups/{group}", "/people/members/{member}/suspend",
    "/people/members/{member}/lift", "/gateways/new/sftp", "/gateways/{gateway}", "/gateways/{gateway}/trust",
    "/gateways/{gateway}/certificates/own/make", "/notifications/webhook/remove?adaptor={adaptor}",
)  # fmt: skip


def test_what_is_sensitive_is_done_only_shortly_after_signing_in(signed_in, submit, user, adaptor, gateway):
    group = Group(subscription_id=adaptor.subscription_id, name="Bogholderi")
    db.session.add(group)
    db.session.commit()
    ids = {"group": group.id, "member": user.memberships[0].id, "gateway": gateway.id, "adaptor": adaptor.id}
    _sign_in_was(signed_in, timedelta(minutes=16))
    for path in SENSITIVE:
        answer = submit(signed_in, path.format(**ids), {"name": "Ny", "years": "9"})
        assert answer.location.startswith("/verify"), path
    assert db.session.query(Group).count() == db.session.query(Gateway).count() == 1


@pytest.mark.parametrize(("ago", "is_told"), [(9, False), (11, True)])
def test_a_form_that_would_be_lost_says_so_before_it_is_filled_in(signed_in, gateway, ago, is_told):
    _sign_in_was(signed_in, timedelta(minutes=ago))
    paths = "/gateways/new/sftp", f"/gateways/{gateway.id}", f"/sharing/gateways/{gateway.id}", "/people", "/keeping"
    for path in paths:
        page = signed_in.get(path)
        assert ('id="confirm-first"' in page.text) is is_told, path
    if is_told:
        assert 'href="/verify?next=/keeping"' in page.text


def test_who_may_not_save_is_not_told_to_confirm(member, gateway):
    share(gateway, {"to": "everybody", "level": "viewer"})
    _sign_in_was(member, timedelta(minutes=20))
    page = member.get(f"/gateways/{gateway.id}")
    assert page.status_code == 200 and "confirm-first" not in page.text


def _sign_in_was(client: FlaskClient, ago: timedelta) -> None:
    client.get("/people")
    with client.session_transaction() as session:
        session["fs_paa"] = (utcnow() - ago).timestamp()
        session.pop("fs_gexp", None)


SFTP = {
    "name": "Ny", "environment": "live", "host": "127.0.0.1", "port": "22", "username": "u", "password": "p", "folder": ".",
    "filename": "{type}_{number}_{key8}", "auth": "password",
}  # fmt: skip


@pytest.mark.parametrize(("level", "is_changed"), [("viewer", False), ("operator", False), ("editor", True)])
def test_a_new_gateway_becomes_the_default_one_only_of_adaptors_that_the_person_may_edit(
    app, subscription, submit, adaptor, level, is_changed
):
    admin = _sign_in(app, joined(subscription, "admin@example.com", Role.ADMIN).user)
    share(adaptor, {"to": "admins", "level": level})
    named = submit(admin, "/gateways/new/sftp", SFTP | {"default_of": adaptor.id})
    assert named.status_code == (303 if is_changed else 403)
    if not is_changed:
        assert db.session.query(Gateway).count() == 0 and submit(admin, "/gateways/new/sftp", SFTP).status_code == 303
    db.session.refresh(adaptor)
    assert (adaptor.default_gateway_id is not None) is is_changed
