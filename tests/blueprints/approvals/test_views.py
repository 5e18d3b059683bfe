"""The page of approvals: what waits, who may decide, and the settings that only an owner saves."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest
from conftest import _sign_in
from sqlalchemy import select
from support.people import joined

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.domain.four_eyes import Kind
from invoiceapp.models import Approval, ApprovalState, ApprovalWait, Role, Subscription, ValueAuthor, db, utcnow
from invoiceapp.services import bell
from invoiceapp.services.daily import problems
from invoiceapp.services.four_eyes import approvals, authors
from invoiceapp.services.four_eyes import words as approval_words

A = ApprovalState


@pytest.fixture(autouse=True)
def english(user, monkeypatch):
    user.language = "en"
    db.session.commit()
    monkeypatch.setattr(bell, "ring", lambda *_: None)


@pytest.fixture
def account(adaptor, make_customer, make_document, make_delivery) -> Approval:
    """A new account for which two documents wait."""
    row = Approval(
        subscription_id=adaptor.subscription_id, adaptor_id=adaptor.id, kind=Kind.ACCOUNT, scope=adaptor.id, subject="bank",
        fingerprint="f" * 64, shown="DK50 0040 0440 1162 43", known=["1234 5678901234"], atoms=["440116243"],
    )  # fmt: skip
    db.session.add(row)
    db.session.commit()
    customer = make_customer("Kommune X")
    for number in ("1", "2"):
        document = make_document(customer, number)
        make_delivery(document, DeliveryState.BLOCKED, findings=[approval_words.finding(row, []).to_dict()])
        db.session.add(ApprovalWait(approval_id=row.id, document_id=document.id))
    db.session.commit()
    problems.refresh(adaptor.id)
    return row


def asked_by(row: Approval, user_id: str) -> None:
    [atom] = authors.keys(row.atoms)
    db.session.add(ValueAuthor(subscription_id=row.subscription_id, atom=atom, user_id=user_id))
    db.session.commit()


def text_of(response: Any) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", response.get_data(as_text=True))).split())


def state_of(row_id: str) -> ApprovalState:
    db.session.expire_all()
    return db.session.get_one(Approval, row_id).state


def decide(submit: Any, client: Any, verdict: str, *ids: str, note: str = "") -> Any:
    return submit(client, "/approvals", {"ids": list(ids), "verdict": verdict, "note": note})


def test_the_page_shows_old_and_new_how_much_waits_and_who_can_approve(signed_in, account, adaptor):
    page = signed_in.get("/approvals")
    text = text_of(page)
    [problem] = problems.of_adaptors([adaptor.id])
    assert f"/problems/{problem.id}" in page.get_data(as_text=True)
    page = signed_in.get(f"/problems/{problem.id}")
    assert f'/approvals?adaptor={adaptor.id}#approval-{account.id}"' in page.get_data(as_text=True)
    assert "Another person than the one who asked for it approves it" in text_of(page)
    assert "New bank account DK50 0040 0440 1162 43" in text and "Until now: 1234 5678901234" in text
    assert "2 documents wait" in text and "250.00" in text and "Can be approved by ejer@example.com" in text


def test_approving_is_one_click_the_second_is_no_other_and_it_can_be_withdrawn(signed_in, submit, account):
    answers = [decide(submit, signed_in, "approve", account.id) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [303, 303] and state_of(account.id) is A.APPROVED
    assert len(db.session.get_one(Approval, account.id).history) == 1
    assert decide(submit, signed_in, "withdraw", account.id).status_code == 303
    assert state_of(account.id) is A.WITHDRAWN and decide(submit, signed_in, "take-up", account.id).status_code == 409


def test_who_asked_is_told_that_another_must(signed_in, submit, account, user):
    asked_by(account, user.id)
    assert "There is no second person who can approve it." in text_of(signed_in.get("/approvals"))
    answer = decide(submit, signed_in, "approve", account.id, note="mine")
    assert answer.status_code == 422 and "you have asked for it yourself" in text_of(answer)
    assert ">mine</textarea>" in answer.get_data(as_text=True) and state_of(account.id) is A.WAITING


def test_a_refusal_needs_a_note_which_the_page_then_shows(signed_in, submit, account):
    assert decide(submit, signed_in, "refuse", account.id).status_code == 422
    assert decide(submit, signed_in, "refuse", account.id, note="Not ours").status_code == 303
    text = text_of(signed_in.get("/approvals"))
    assert "Refused" in text and "“Not ours”" in text and "Take up again" in text


def test_a_member_sees_it_and_decides_nothing(member, submit, account):
    page = member.get("/approvals")
    assert page.status_code == 200 and "disabled" in page.get_data(as_text=True)
    answer = decide(submit, member, "approve", account.id)
    assert answer.status_code == 403 and "Kun ejere, administratorer og medlemmer" in text_of(answer)
    assert state_of(account.id) is A.WAITING


def test_a_foreign_approval_does_not_exist(stranger, submit, account):
    assert decide(submit, stranger, "approve", account.id).status_code == 404
    assert "DK50" not in stranger.get("/approvals").get_data(as_text=True) and state_of(account.id) is A.WAITING


def test_nonsense_is_refused(signed_in, submit, account):
    posted = ({}, {"verdict": "approve"}, {"ids": "x", "verdict": "approve"}, {"ids": account.id, "verdict": "sell"})
    answers = [submit(signed_in, "/approvals", data).status_code for data in posted]
    assert answers == [422, 422, 404, 422]


def test_the_owner_switches_it_on_and_the_page_says_what_counts(signed_in, submit, adaptor):
    page = text_of(signed_in.get("/approvals/settings"))
    assert "counts as approved when you switch something on" in page and "there is no second person" in page
    answer = submit(
        signed_in, "/approvals/settings", {"accounts": "true", "amounts": "true", "factor": "4", "ceiling": "50000,50"}
    )
    assert answer.status_code == 303
    db.session.expire_all()
    assert db.session.scalars(select(Subscription)).one().four_eyes == {
        "on": ["accounts", "amounts"], "factor": 4, "ceiling": "50000.50",
    }  # fmt: skip
    answer = submit(signed_in, "/approvals/settings", {"amounts": "true", "factor": "1", "ceiling": "-5"})
    assert answer.status_code == 422 and 'value="-5"' in answer.get_data(as_text=True)


def test_nobody_but_an_owner_reaches_the_settings(member, submit):
    assert member.get("/approvals/settings").status_code == 403
    assert submit(member, "/approvals/settings", {}).status_code == 403


def test_what_loosens_waits_on_the_page_for_another_administrator(app, signed_in, submit, subscription, adaptor):
    admin = _sign_in(app, joined(subscription, "anna@example.com", Role.ADMIN).user)
    submit(signed_in, "/approvals/settings", {"accounts": "true", "factor": "5"})
    answer = submit(signed_in, "/approvals/settings", {"factor": "5"}, follow_redirects=True)
    text = text_of(answer)
    assert "Nothing is changed yet" in text and "New bank account or FIK creditor: on → off" in text
    page = answer.get_data(as_text=True)
    assert 'id="approve-wish"' not in page and "Four eyes is switched off" not in text
    at = re.search(r'name="at" value="([^"]+)"', page)
    assert at is not None
    form = {"verdict": "approve", "at": unescape(at[1])}
    assert submit(signed_in, "/approvals/settings/wish", form).status_code == 422
    assert 'id="approve-wish"' in admin.get("/approvals").get_data(as_text=True)
    assert [submit(admin, "/approvals/settings/wish", form).status_code for _ in range(2)] == [303, 409]
    assert "Four eyes is switched off" in text_of(signed_in.get("/approvals"))


def test_deciding_asks_who_has_signed_in_long_ago_to_do_so_again(signed_in, submit, account):
    with signed_in.session_transaction() as session:
        session["fs_paa"] = 0
    answer = decide(submit, signed_in, "approve", account.id)
    assert answer.status_code in (302, 303) and "/verify" in answer.location and state_of(account.id) is A.WAITING


def test_all_that_was_decided_is_kept_and_the_menu_counts_what_waits(signed_in, submit, account, subscription):
    subscription.four_eyes = {"on": ["accounts"]}
    db.session.commit()
    page = signed_in.get("/approvals").get_data(as_text=True)
    assert '<span class="side-nav-count">1</span>' in page
    decide(submit, signed_in, "refuse", account.id, note="Not ours")
    decide(submit, signed_in, "take-up", account.id)
    decide(submit, signed_in, "approve", account.id, note="Called them")
    page = signed_in.get("/approvals").get_data(as_text=True)
    history = page[page.index('id="history"') :]
    assert history.index("Called them") < history.index("Taken up again") < history.index("Not ours")


def test_what_was_in_use_is_folded_and_can_be_withdrawn_and_the_history_has_pages(
    signed_in, submit, adaptor, monkeypatch
):
    monkeypatch.setattr(approvals, "PAGE", 2)
    base = {
        "subscription_id": adaptor.subscription_id,
        "adaptor_id": adaptor.id,
        "kind": Kind.ACCOUNT,
        "state": A.APPROVED,
    }
    for n in range(5):
        db.session.add(
            Approval(scope="x", fingerprint=f"{n:064}", shown=f"ACC{n}", is_baseline=n < 2, decided_at=utcnow(), **base)
        )
    db.session.commit()
    page = signed_in.get("/approvals")
    text = text_of(page)
    assert (
        "2 known values count as approved" in text
        and "New bank account ACC0" not in text
        and "Bank account ACC0" in text
    )
    assert text.count("New bank account ACC") == 2 * 2, "each with its button"
    assert "page=2" in page.get_data(as_text=True)
    text = text_of(signed_in.get("/approvals?page=2"))
    assert text.count("New bank account ACC") == 2 and "known values" not in text
    known = db.session.scalars(select(Approval).where(Approval.is_baseline)).first()
    assert known is not None and decide(submit, signed_in, "withdraw", known.id).status_code == 303
    assert [signed_in.get(f"/approvals?page={asked}").status_code for asked in ("0", "-1", "x", "9" * 30)] == [200] * 4


def test_the_ceiling_is_shown_as_money(signed_in, submit, adaptor, user):
    user.language = "da"
    db.session.commit()
    submit(signed_in, "/approvals/settings", {"amounts": "true", "factor": "4", "ceiling": "100.000"})
    assert 'value="100.000,00"' in signed_in.get("/approvals/settings").get_data(as_text=True)
