from __future__ import annotations

import io
import re
import zipfile
from datetime import UTC, date, datetime

import pytest
from sqlalchemy import select

from invoiceapp.blueprints.keeping import views
from invoiceapp.models import AuditEntry, HoldScope, LegalHold, Restoration, Retention, Role, Schedule, db, utcnow
from invoiceapp.services.keeping import retention
from tests.conftest import _sign_in
from tests.support.people import joined


@pytest.fixture
def hold(subscription):
    row = LegalHold(
        subscription_id=subscription.id,
        scope=HoldScope.SUBSCRIPTION,
        reason="<b>Retssag</b>",
        made_by="anna@example.com",
    )
    db.session.add(row)
    db.session.commit()
    return row


def test_the_page_says_what_is_kept_how_long_and_what_goes_next(
    signed_in, make_customer, make_document, monkeypatch, hold
):
    monkeypatch.setattr(retention, "today", lambda: date(2026, 11, 23))
    make_document(make_customer(), issue_date=date(2019, 1, 1), status_at=datetime(2019, 1, 1, tzinfo=UTC))
    page = signed_in.get("/keeping").get_data(as_text=True)
    assert "1. jan. 2027" in page
    assert "&lt;b&gt;Retssag" in page and "<b>Retssag" not in page
    assert "artikel 17" in page or "article 17" in page


def test_what_is_kept_and_what_may_go_is_said_in_words(signed_in, subscription, make_customer, make_document):
    document = make_document(make_customer(), "1485")
    db.session.add(
        LegalHold(
            subscription_id=subscription.id, scope=HoldScope.DOCUMENT, row_id=document.id, name="1485", reason="x",
            made_by="anna@example.com",
        )
    )  # fmt: skip
    db.session.commit()
    page = signed_in.get("/keeping").get_data(as_text=True)
    assert re.search(r"Dokument\s*<bdi>1485", page)
    assert "0 dokumenter dateret" not in page and 'data-label="Vej"' not in page


def test_the_owner_chooses_a_longer_time_and_the_law_refuses_a_shorter_one(signed_in, submit, subscription):
    refused = submit(signed_in, "/keeping/terms", {"years": "4", "last_month": "6"})
    assert refused.status_code == 422 and 'value="4"' in refused.text and "Bogføringsloven" in refused.text
    done = submit(signed_in, "/keeping/terms", {"years": "7", "last_month": "6"})
    assert done.status_code == 303
    row = db.session.get(Retention, subscription.id, populate_existing=True)
    assert (row.years, row.last_month) == (7, 6)
    acts = db.session.scalars(select(AuditEntry.act)).all()
    assert "retention.terms" in acts


def test_a_hold_is_placed_with_words_and_lifted(signed_in, submit, make_customer, subscription):
    make_customer("<script>alert(1)</script> ApS")
    typed = {"scope": "customer", "what": "Ukendt", "reason": "Skattesag", "until": ""}
    refused = submit(signed_in, "/keeping/holds", typed)
    assert refused.status_code == 422 and "Skattesag" in refused.text and "Det findes ikke" in refused.text
    done = submit(signed_in, "/keeping/holds", typed | {"what": "<script>alert(1)</script> ApS"})
    assert done.status_code == 303
    row = db.session.scalars(select(LegalHold)).one()
    assert (row.scope, row.made_by, row.reason) == (HoldScope.CUSTOMER, "ejer@example.com", "Skattesag")
    assert "<script>alert" not in signed_in.get("/keeping").get_data(as_text=True)
    assert submit(signed_in, f"/keeping/holds/{row.id}/lift").status_code == 303
    assert db.session.scalars(select(LegalHold.lifted_by)).one() == "ejer@example.com"
    again = submit(signed_in, f"/keeping/holds/{row.id}/lift", follow_redirects=True)
    assert "allerede ophørt" in again.text


def test_another_subscription_sees_and_lifts_nothing(stranger, submit, hold):
    assert "Retssag" not in stranger.get("/keeping").get_data(as_text=True)
    assert submit(stranger, f"/keeping/holds/{hold.id}/lift").status_code == 404
    assert db.session.get(LegalHold, hold.id, populate_existing=True).lifted_at is None


@pytest.mark.parametrize("path", ["/keeping", "/keeping/records"])
def test_a_plain_member_may_not_look(member, path):
    assert member.get(path).status_code == 403


def test_a_plain_member_may_change_nothing(member, submit, hold):
    for path in ("/keeping/terms", "/keeping/holds", f"/keeping/holds/{hold.id}/lift", "/keeping/resume"):
        assert submit(member, path).status_code == 403


def test_after_a_restore_a_person_lets_the_schedules_run_again(signed_in, submit, make_schedule, subscription):
    schedule = make_schedule(active=False, next_at=None)
    db.session.add(Restoration(subscription_id=subscription.id, taken_at=utcnow(), unknown=3, schedules=[schedule.id]))
    db.session.commit()
    page = signed_in.get("/keeping").get_data(as_text=True)
    assert 'id="resume"' in page and "3 " in page
    assert submit(signed_in, "/keeping/resume").status_code == 303
    assert db.session.get(Schedule, schedule.id, populate_existing=True).active
    assert 'id="resume"' not in signed_in.get("/keeping").get_data(as_text=True)


def test_the_readable_export_is_downloaded(signed_in, make_customer, make_document, adaptor):
    make_document(make_customer(), "1001")
    answer = signed_in.get(f"/keeping/records?of={adaptor.id}&from=2026-11-01&to=2026-11-30")
    assert answer.status_code == 200 and "attachment" in answer.headers["Content-Disposition"]
    with zipfile.ZipFile(io.BytesIO(answer.data)) as file:
        assert {"index.html", "documents.csv", "README.txt", "manifest.sha256"} <= set(file.namelist())
    answer.close()


def test_what_takes_too_long_or_is_no_day_is_said_with_what_was_typed(
    signed_in, make_customer, make_document, monkeypatch, adaptor, stranger
):
    make_document(make_customer(), "1001")
    assert signed_in.get("/keeping/records?from=yesterday").status_code == 422
    monkeypatch.setattr(views, "MOST_DOCUMENTS", 0)
    refused = signed_in.get("/keeping/records?from=2026-11-01")
    assert refused.status_code == 422 and "2026-11-01" in refused.text and "flask export-records" in refused.text
    assert stranger.get(f"/keeping/records?of={adaptor.id}").status_code == 404


@pytest.fixture
def admin(app, subscription):
    return _sign_in(app, joined(subscription, "admin@example.com", Role.ADMIN).user)


def test_administrators_get_only_what_is_shared_with_them(admin, adaptor, make_customer, make_document):
    make_document(
        make_customer("Hemmelig Kunde"), "1001", issue_date=date(2019, 1, 1), status_at=datetime(2019, 1, 1, tzinfo=UTC)
    )
    db.session.add(
        LegalHold(
            subscription_id=adaptor.subscription_id,
            scope=HoldScope.ADAPTOR,
            row_id=adaptor.id,
            name=adaptor.name,
            reason="Retssag 17",
            made_by="x",
        )
    )
    db.session.commit()
    for is_shared in (True, False):
        adaptor.grants = [{"to": "admins", "level": "manager"}] if is_shared else []
        db.session.commit()
        with admin.get("/keeping/records") as answer, zipfile.ZipFile(io.BytesIO(answer.data)) as file:
            assert any(b"Hemmelig Kunde" in file.read(name) for name in file.namelist()) is is_shared
        assert ("Retssag 17" in admin.get("/keeping").text) is is_shared


@pytest.mark.parametrize("path", ["/audit", "/audit/export.csv", "/audit/export.jsonl"])
def test_the_audit_trail_is_for_administrators_with_whom_everything_is_shared(admin, signed_in, adaptor, gateway, path):
    for row in (adaptor, gateway):
        row.grants = [{"to": "admins", "level": "viewer"}]
    db.session.commit()
    assert admin.get(path).status_code == 200
    gateway.grants = []
    db.session.commit()
    assert (admin.get(path).status_code, signed_in.get(path).status_code) == (403, 200)


def test_a_hold_by_a_name_that_several_have_says_how_many(signed_in, submit, make_customer):
    make_customer("Hansen"), make_customer("Hansen")
    typed = {"scope": "customer", "what": "Hansen", "reason": "Skattesag", "until": ""}
    answer = submit(signed_in, "/keeping/holds", typed, follow_redirects=True)
    assert "2" in answer.text.split("flash", 1)[-1][:2000] and db.session.query(LegalHold).count() == 2
