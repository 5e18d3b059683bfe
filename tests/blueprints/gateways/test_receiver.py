from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from invoiceapp.models import Adaptor, Receiver, User, db
from invoiceapp.services.reach import receivers

GOOD = {
    "name": "Eksempel ApS", "addresses": "CVR 12 34 56 74\n", "formats": ["oioubl-2.1"], "email": "faktura@example.com",
}  # fmt: skip


@pytest.fixture(autouse=True)
def english(user: User) -> None:
    user.language = "en"
    db.session.commit()


def test_a_company_lets_itself_be_found_and_withdraws(
    signed_in: FlaskClient, adaptor: Adaptor, submit: Any
) -> None:  # fmt: skip
    assert "You cannot be found" in signed_in.get("/gateways/receiver").text
    told = submit(signed_in, "/gateways/receiver", GOOD, follow_redirects=True).text
    assert "You can be found" in told and ">12345674</textarea>" in told
    row = db.session.query(Receiver).one()
    assert (row.participants, row.formats, row.is_listed) == (["0184:12345674"], ["oioubl-2.1"], True)
    told = submit(signed_in, "/gateways/receiver/withdraw", follow_redirects=True).text
    assert "You are not found by others any more." in told and "You cannot be found" in told
    db.session.expire_all()
    assert db.session.query(Receiver).one().is_listed is False


def test_what_is_wrong_is_said_beside_the_fields_and_what_was_typed_stays(
    signed_in: FlaskClient, adaptor: Adaptor, submit: Any
) -> None:
    typed = {"name": "", "addresses": "87654321", "email": "nobody"}
    answer = submit(signed_in, "/gateways/receiver", typed)
    assert answer.status_code == 422
    for words in ("Write the company", "does not belong to your company", "Choose at least one format.", ">87654321<"):
        assert words in answer.text
    assert db.session.query(Receiver).count() == 0


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("DK 12345674", "0184:12345674"),
        ("EAN 5790 0000 0000 0", "0088:5790000000000"),
        ("0184:12345674", "0184:12345674"),
        ("tolv", "0088:tolv"),
    ],
)
def test_numbers_are_told_apart_by_their_length(
    signed_in: FlaskClient, adaptor: Adaptor, submit: Any, monkeypatch: pytest.MonkeyPatch, typed: str, meant: str
) -> None:
    seen: list[str] = []
    monkeypatch.setattr(receivers, "declare", lambda *_, participants, **__: seen.extend(participants))
    submit(signed_in, "/gateways/receiver", {**GOOD, "addresses": typed})
    assert seen == [meant]


def test_a_member_sees_it_and_does_not_decide(member: FlaskClient, adaptor: Adaptor, submit: Any) -> None:
    assert member.get("/gateways/receiver").status_code == 200
    assert submit(member, "/gateways/receiver", GOOD).status_code == 403
