"""The desk of unknown outcomes: what is known, what can be asked, and the choices in a sensible order."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from invoiceapp.domain.delivery import DeliveryState, Replay
from invoiceapp.gateways.sftp.transport import SftpTransport
from invoiceapp.models import (
    Adaptor,
    Attempt,
    AuditEntry,
    Delivery,
    Event,
    Gateway,
    Rendition,
    User,
    db,
    new_id,
    utcnow,
)
from invoiceapp.services import bell
from invoiceapp.services.daily import problems
from invoiceapp.services.database import transaction
from invoiceapp.services.export import events

S = DeliveryState
Submit = Callable[..., TestResponse]
DESK = "/unknown-outcomes"


@pytest.fixture(autouse=True)
def english(user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    user.language = "en"
    db.session.commit()
    monkeypatch.setattr(bell, "ring", lambda *_: None)


@pytest.fixture
def asks(monkeypatch: pytest.MonkeyPatch) -> Callable[[Replay], None]:
    """What the gateway says may happen after a lost answer."""

    def let(replay: Replay) -> None:
        monkeypatch.setattr(SftpTransport, "replay", replay)

    let(Replay.PROBE)
    return let


@pytest.fixture
def unclear(make_customer: Any, make_document: Any, make_delivery: Any, has_bytes: Any, asks: Any) -> Any:
    """``unclear("1001")``: sent once, and no answer."""

    def make(number: str = "1001", **columns: Any) -> Delivery:
        document = make_document(make_customer(f"Kommune {number}"), number)
        row: Delivery = make_delivery(
            document, S.OUTCOME_UNKNOWN, rendition_id=has_bytes(document), tries=1, next_at=None,
            first_sent_at=utcnow(), error={"da": "Intet svar.", "en": "No answer came."}, **columns,
        )  # fmt: skip
        db.session.add(
            Attempt(delivery_id=row.id, number=1, fence=0, outcome="unknown", wire_ids={"filename": f"{number}.xml"})
        )
        db.session.commit()
        return row

    return make


@pytest.fixture
def has_bytes() -> Callable[[Any], str]:
    """A rendition of the document; its id."""

    def make(document: Any) -> str:
        row = Rendition(
            id=new_id(), subscription_id=document.subscription_id, document_id=document.id, format="peppol-bis-3",
            sha256="0" * 64, size=1, media_type="application/xml", filename="x.xml", receiver="0088:5798000000001",
        )  # fmt: skip
        db.session.add(row)
        db.session.commit()
        return row.id

    return make


def text_of(response: TestResponse) -> str:
    assert response.status_code == 200, response.status
    main = response.get_data(as_text=True).partition('id="content"')[2]
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", main)).split())


def names(response: TestResponse, row: Delivery) -> list[str]:
    """The choices, in the page's order."""
    return re.findall(rf'href="/documents/{row.document_id}/([a-z-]+)"', response.get_data(as_text=True))


def test_a_desk_with_nothing_on_it_says_so(signed_in: FlaskClient, adaptor: Adaptor) -> None:
    assert "Nothing is unknown" in text_of(signed_in.get(DESK))


def test_it_says_what_is_known_and_asking_comes_first(signed_in: FlaskClient, unclear: Any) -> None:
    row = unclear()
    page = signed_in.get(DESK)
    text = text_of(page)
    for words in (
        "Nobody knows whether 1 document arrived.", "Invoice 1001 · Kommune 1001", "Your turn:", "1001.xml",
        "The document was sent, but the answer did not come.", "No answer came.", "0088:5798000000001",
        "The receiver's system can be asked whether it has the document.",
        "“Send the same file again” is offered once the receiver's system has been asked",
    ):  # fmt: skip
        assert words in text
    assert names(page, row) == ["ask-again", "mark-received", "handle-outside"]


def test_once_it_was_asked_sending_again_is_offered_last_with_what_may_happen(
    signed_in: FlaskClient, unclear: Any
) -> None:
    row = unclear()
    with transaction():
        events.of_delivery("asked", row, answer="no_answer", attempt=1)
    page = signed_in.get(DESK)
    assert names(page, row) == ["ask-again", "mark-received", "handle-outside", "send-again"]
    text = text_of(page)
    assert "No clear answer. Asked 1 time since the last attempt." in text
    assert "The receiver may get the document twice and could pay it twice." in text


def test_where_nobody_can_be_asked_a_person_decides_at_once(signed_in: FlaskClient, unclear: Any, asks: Any) -> None:
    asks(Replay.UNSAFE)
    row = unclear()
    page = signed_in.get(DESK)
    assert names(page, row) == ["mark-received", "handle-outside", "send-again"]
    assert "Call or write to the receiver." in text_of(page)


def test_a_viewer_sees_all_of_it_and_can_do_nothing(member: FlaskClient, unclear: Any, adaptor: Adaptor) -> None:
    adaptor.grants = [{"to": "everybody", "level": "viewer"}]
    db.session.commit()
    row = unclear()
    for address in (DESK, f"{DESK}?adaptor=all"):
        page = member.get(address)
        assert "Faktura 1001" in text_of(page) and names(page, row) == []
    adaptor.grants = [{"to": "everybody", "level": "operator"}]
    db.session.commit()
    assert names(member.get(f"{DESK}?adaptor=all"), row)[0] == "ask-again"


def test_another_company_sees_nothing_of_it(stranger: FlaskClient, unclear: Any, adaptor: Adaptor) -> None:
    row = unclear()
    assert row.document.number not in text_of(stranger.get(DESK))
    assert stranger.get(f"{DESK}?adaptor={adaptor.id}").status_code == 404


def test_of_all_adaptors_each_case_names_its_own(
    signed_in: FlaskClient, unclear: Any, adaptor: Adaptor, gateway: Gateway
) -> None:
    db.session.add(
        Adaptor(subscription_id=adaptor.subscription_id, name="Filial", source_kind="billy", source_config={}, settings={})
    )  # fmt: skip
    db.session.commit()
    unclear()
    assert "Adaptor Billy" in text_of(signed_in.get(f"{DESK}?adaptor=all"))
    other = db.session.scalars(select(Adaptor).where(Adaptor.name == "Filial")).one()
    assert "Nothing is unknown" in text_of(signed_in.get(f"{DESK}?adaptor={other.id}"))


def test_more_than_a_page_is_reached_by_a_link(signed_in: FlaskClient, unclear: Any) -> None:
    rows = [unclear(str(number)) for number in range(1001, 1012)]
    first = signed_in.get(DESK).get_data(as_text=True)
    assert 'id="more"' in first and f"case-{rows[-1].id}" not in first
    second = signed_in.get(f"{DESK}?after={rows[9].id}").get_data(as_text=True)
    assert f"case-{rows[-1].id}" in second and 'id="first"' in second and 'id="more"' not in second


def test_the_choices_lead_to_the_documents_own_questions_and_each_act_is_in_the_audit_trail(
    signed_in: FlaskClient, submit: Submit, unclear: Any, asks: Any
) -> None:
    asks(Replay.PROBE)
    told, kept, again, asked = (unclear(number) for number in ("1001", "1002", "1003", "1004"))
    acts = [(asked, "ask-again"), (told, "mark-received"), (kept, "handle-outside"), (again, "send-again")]
    for row, name in acts:
        address = f"/documents/{row.document_id}/{name}"
        assert signed_in.get(address).status_code == 200
        if name != "ask-again":
            refused = submit(signed_in, address, {"note": " "})
            assert refused.status_code == 422, "a reason is required"
        assert submit(signed_in, address, {"note": "Køber har svaret."}).status_code == 303
    done = select(AuditEntry).where(AuditEntry.act == "documents.act", AuditEntry.outcome == "done")
    audited = {(entry.object_id, entry.actor) for entry in db.session.scalars(done)}
    assert audited == {(row.document_id, "ejer@example.com") for row, _name in acts}
    kinds = [event.kind for row, _name in acts for event in _events(row.document_id)]
    assert kinds == ["asked_by_hand", "marked_received", "handled_outside", "sent_again"]
    remaining = text_of(signed_in.get(DESK))
    assert "Invoice 1004" in remaining and "Invoice 1001" not in remaining and "Invoice 1003" not in remaining


def test_what_a_person_marked_as_received_is_told_as_that(signed_in: FlaskClient, submit: Submit, unclear: Any) -> None:
    row = unclear()
    assert "Write who at the receiver has confirmed it, and when." in text_of(signed_in.get(DESK))
    submit(signed_in, f"/documents/{row.document_id}/mark-received", {"note": "Bo har ringet."})
    text = text_of(signed_in.get(f"/documents/{row.document_id}"))
    assert "Marked as received by ejer@example.com on " in text and ": “Bo har ringet.”" in text
    assert "Received Done Marked as received" in text and "has taken it" not in text


def _events(document_id: str) -> list[Any]:
    return list(db.session.scalars(select(Event).where(Event.document_id == document_id).order_by(Event.id)))


def test_the_document_the_problem_and_the_dashboard_lead_to_the_desk(
    signed_in: FlaskClient, unclear: Any, adaptor: Adaptor
) -> None:
    row = unclear()
    problems.refresh(adaptor.id)
    [problem] = problems.of_adaptors([adaptor.id])
    link = f'href="{DESK}?adaptor={adaptor.id}"'
    for address in (f"/documents/{row.document_id}", f"/problems/{problem.id}", "/"):
        assert link in signed_in.get(address).get_data(as_text=True), address
