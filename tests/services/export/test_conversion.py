from __future__ import annotations

import errno
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from invoiceapp.domain.delivery import EXCLUSIVE, DeliveryState
from invoiceapp.domain.findings import Text
from invoiceapp.models import Delivery, Document, Event, Gateway, Rendition, Stage, db, utcnow
from invoiceapp.services.configuration import rules, saving
from invoiceapp.services.errors import ServiceError
from invoiceapp.services.export import actions, archive, conversion, delivery, documents, drawing
from invoiceapp.sources.base import NotFound, SourceDocument, SourceUnavailable

S = DeliveryState
DOWN = SourceUnavailable(Text("Billy svarer ikke.", "Billy does not answer."))


def again(document_id: str) -> Document:
    return db.session.get_one(Document, document_id, populate_existing=True)


def only_delivery(document_id: str) -> Delivery:
    return db.session.scalars(select(Delivery).where(Delivery.document_id == document_id)).one()


def events(document_id: str) -> list[str]:
    return list(db.session.scalars(select(Event.kind).where(Event.document_id == document_id).order_by(Event.id)))


def forget_deliveries() -> None:
    """As if the database had been restored from before the conversion."""
    db.session.query(Event).delete()
    db.session.query(Delivery).delete()


def make_due(document_id: str) -> None:
    again(document_id).lease_until = utcnow() - timedelta(seconds=1)
    db.session.commit()


def broken_rate(bundle):
    bundle["invoice"]["lines"][0]["amount"] = "a lot"


def voided(bundle):
    bundle["invoice"]["state"] = "voided"


def test_a_document_becomes_bytes_and_a_pending_delivery_in_one_step(queued, shelf):
    document = queued()
    key = document.id
    assert conversion.convert_due() == 1
    document, row = again(key), only_delivery(key)
    rendition = db.session.get_one(Rendition, row.rendition_id)
    assert (document.stage, document.lease_token, document.lease_until) == (Stage.CONVERTED, None, None)
    assert row.state is S.PENDING and row.next_at <= utcnow() and len(row.idem_key) == 32
    content = archive.load(rendition.sha256)
    assert len(content) == rendition.size and b"CrossIndustry" not in content and b"<Invoice" in content
    assert rendition.filename == "invoice-1001.xml" and rendition.receiver
    assert archive.load(document.pdf_sha256) == b"%PDF-1.7 from the source" and not document.pdf_is_own
    assert events(key) == ["converted", "validated"]
    assert conversion.convert_due() == 0


def test_what_is_converted_can_be_delivered(queued, partner):
    key = queued().id
    conversion.convert_due()
    delivery.deliver_due()
    row = only_delivery(key)
    assert row.state is S.DELIVERED
    assert partner.sent[0].payload.sha256 == db.session.get_one(Rendition, row.rendition_id).sha256
    assert partner.sent[0].companions[0].media_type == "application/pdf"


def test_the_key_is_the_same_for_the_same_records_and_another_for_others(queued, rule_of):
    document = queued()
    key = document.id
    conversion.convert_due()
    first = only_delivery(key).idem_key
    forget_deliveries()
    again(key).stage = Stage.QUEUED
    db.session.commit()
    conversion.convert_due()
    assert only_delivery(key).idem_key == first
    forget_deliveries()
    again(key).stage, again(key).bundle_sha256 = Stage.QUEUED, "f" * 64
    db.session.commit()
    conversion.convert_due()
    assert only_delivery(key).idem_key != first


def test_a_document_that_can_never_be_an_invoice_is_set_aside_with_words(queued):
    bad, good = queued("1001", voided).id, queued("1002").id
    assert conversion.convert_due() == 2
    assert again(bad).stage is Stage.UNUSABLE and again(bad).error["da"] and again(bad).lease_token is None
    assert events(bad) == ["unusable"]
    assert only_delivery(good).state is S.PENDING


def test_one_bad_document_never_stops_the_others(queued, monkeypatch):
    bad, good = queued("1001").id, queued("1002").id
    real = conversion.render

    def render(source, bundle, *rest, **options):
        if bundle["invoice"]["invoiceNo"] == "1001":
            raise ZeroDivisionError
        return real(source, bundle, *rest, **options)

    monkeypatch.setattr(conversion, "render", render)
    conversion.convert_due()
    assert again(bad).stage is Stage.QUEUED and "prøver igen" in again(bad).error["da"]
    assert again(bad).lease_until > utcnow() and again(bad).lease_token is None
    assert only_delivery(good).state is S.PENDING


def test_an_unexpected_error_blocks_with_words_after_some_tries(queued, monkeypatch):
    key = queued().id

    def render(*_, **__):
        raise ZeroDivisionError

    monkeypatch.setattr(conversion, "render", render)
    for _ in range(conversion.MOST_TRIES - 1):
        conversion.convert_due()
        assert again(key).stage is Stage.QUEUED
        make_due(key)
    conversion.convert_due()
    row = only_delivery(key)
    assert again(key).stage is Stage.CONVERTED and row.state is S.BLOCKED and row.next_at is None
    assert [finding["rule"] for finding in row.findings] == ["IA-INTERNAL"]


def test_a_pdf_that_the_source_cannot_give_now_is_waited_for_then_drawn(queued, shelf):
    key = queued().id
    shelf.answer = DOWN
    for _ in range(conversion.MOST_TRIES - 1):
        conversion.convert_due()
        assert again(key).stage is Stage.QUEUED and again(key).error["da"] == "Billy svarer ikke."
        assert conversion.convert_due() == 0, "it waits"
        make_due(key)
    conversion.convert_due()
    document = again(key)
    assert document.stage is Stage.CONVERTED and document.pdf_is_own and document.error is None
    assert archive.load(document.pdf_sha256).startswith(b"%PDF")


@pytest.mark.parametrize("answer", [None, NotFound(Text("Væk.", "Gone."))])
def test_a_source_without_pdf_means_that_we_draw_one_at_once(queued, shelf, answer):
    key = queued().id
    shelf.answer = answer
    conversion.convert_due()
    assert again(key).pdf_is_own and only_delivery(key).state is S.PENDING


def test_a_pdf_that_we_have_is_not_asked_for_again(queued, shelf):
    queued(pdf_sha256=archive.store(b"%PDF kept"))
    conversion.convert_due()
    assert shelf.asked == []


def test_the_pdf_is_embedded_where_the_settings_say_so(queued, shelf, rule_of):
    document = queued()
    key = document.id
    rule_of(document).settings = {"general": {"embedPdf": True}}
    db.session.commit()
    conversion.convert_due()
    rendition = db.session.get_one(Rendition, only_delivery(key).rendition_id)
    assert b"EmbeddedDocumentBinaryObject" in archive.load(rendition.sha256)


def test_missing_official_rules_block_also_a_document_with_our_own_pdf_inside(app, config, queued, shelf, rule_of):
    """The document is rendered twice then; both times must ask for the rules."""
    app.extensions["invoiceapp.config"] = replace(config, require_official_rules=True)
    shelf.answer = None
    document = queued()
    key = document.id
    rule_of(document).settings = {"general": {"embedPdf": True}}
    db.session.commit()
    conversion.convert_due()
    row = only_delivery(key)
    assert row.state is S.BLOCKED and "IA-RULES-MISSING" in {
        f["rule"] for f in row.findings if f["severity"] == "fatal"
    }


def test_broken_settings_block_with_the_name_of_the_setting(queued, rule_of):
    document = queued()
    key = document.id
    rule_of(document).settings = {
        "supplier": {"iban": "DK50", "colour": "red"},
        "customer": {"email": "not an address"},
    }
    db.session.commit()
    conversion.convert_due()
    row = only_delivery(key)
    assert row.state is S.BLOCKED and {f["rule"] for f in row.findings} == {"IA-SETTING"}
    assert "customer.email" in {f["fix"] for f in row.findings}
    assert delivery.claim() == []


def test_a_mended_document_goes_on_in_the_same_row(queued, rule_of):
    document = queued()
    key, customer_id = document.id, document.customer_id
    rule_of(document).settings = {"customer": {"email": "not an address"}}
    db.session.commit()
    conversion.convert_due()
    blocked = only_delivery(key)
    row_id, fence = blocked.id, blocked.fence
    assert saving.save_overrides(customer_id, {"customer.email": "bogholderi@kunde.example"}).released == 1
    assert again(key).stage is Stage.QUEUED
    conversion.convert_due()
    mended = only_delivery(key)
    assert mended.id == row_id and mended.fence == fence + 1 and mended.state is S.PENDING
    assert all(finding["severity"] != "fatal" for finding in mended.findings)


def test_a_blocked_document_follows_its_customer_to_another_gateway(queued, rule_of, gateway):
    document = queued()
    key = document.id
    rule_of(document).settings = {"customer": {"email": "not an address"}}
    other = Gateway(subscription_id=gateway.subscription_id, name="B", kind="fake", config={}, secrets={})
    db.session.add(other)
    db.session.commit()
    conversion.convert_due()
    rule_of(again(key)).gateway_id, rule_of(again(key)).settings = other.id, {}
    documents.queue(again(key), run_id=None)
    db.session.commit()
    conversion.convert_due()
    rows = db.session.scalars(select(Delivery).where(Delivery.document_id == key).order_by(Delivery.id)).all()
    assert [(row.gateway_id, row.state) for row in rows] == [(gateway.id, S.SUPERSEDED), (other.id, S.PENDING)]


def test_a_customer_who_was_deactivated_meanwhile_gets_nothing(queued, adaptor, shelf):
    document = queued()
    key = document.id
    rules.deactivate(adaptor.id, [document.customer_id])
    conversion.convert_due()
    assert again(key).stage is Stage.LISTED and again(key).lease_token is None and shelf.asked == []
    assert db.session.scalar(select(func.count()).select_from(Delivery)) == 0


def test_a_full_disk_keeps_the_place_and_says_so(queued, monkeypatch):
    key = queued().id

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("os.fsync", full)
        for _ in range(conversion.MOST_TRIES + 1):
            conversion.convert_due()
            assert again(key).stage is Stage.QUEUED and "plads på disken" in again(key).error["da"]
            make_due(key)
    conversion.convert_due()
    assert again(key).stage is Stage.CONVERTED and again(key).error is None and only_delivery(key).state is S.PENDING


def test_a_token_that_cannot_be_read_keeps_the_place(queued, monkeypatch):
    key = queued().id

    def refuse(_adaptor):
        raise ServiceError(Text("En gemt adgangskode kan ikke læses.", "A saved password cannot be read."))

    monkeypatch.setattr(conversion.sources, "opener", refuse)
    conversion.convert_due()
    assert again(key).stage is Stage.QUEUED and "adgangskode" in again(key).error["da"]


def test_workers_at_the_same_time_never_claim_the_same_document(queued, make_document, make_customer, app):
    customer = make_customer()
    ids = {make_document(customer, str(number), stage=Stage.QUEUED).id for number in range(40)}
    db.session.commit()
    start = threading.Barrier(3)

    def worker() -> list[str]:
        with app.app_context():
            start.wait()
            claimed = []
            while batch := conversion.claim(6):
                claimed += [document_id for document_id, _ in batch]
            return claimed

    with ThreadPoolExecutor(3) as pool:
        claimed = [one for found in [pool.submit(worker) for _ in range(3)] for one in found.result()]
    assert len(claimed) == 40 and set(claimed) == ids


def test_a_converter_that_lost_its_lease_leaves_nothing_behind(queued, shelf):
    key = queued().id
    [(document_id, token)] = conversion.claim()
    work = conversion.loading.begin(document_id, token)
    again(key).lease_token = "somebody else"
    db.session.commit()
    conversion._convert(work, conversion.sources.open_source(work.adaptor))
    assert db.session.scalar(select(func.count()).select_from(Delivery)) == 0
    assert again(key).stage is Stage.QUEUED and again(key).lease_token == "somebody else"


def test_a_lease_that_ran_out_is_taken_by_the_next_worker(queued):
    key = queued().id
    [(_, first)] = conversion.claim()
    assert conversion.claim() == []
    make_due(key)
    [(_, second)] = conversion.claim()
    assert first != second
    assert conversion.loading.begin(key, first) is None and conversion.loading.begin(key, second) is not None


def test_only_a_document_really_begun_counts_as_tried_and_its_lease_is_renewed(queued):
    first, second = queued("1001").id, queued("1002").id
    tokens = dict(conversion.claim())
    assert again(first).tries == again(second).tries == 0
    make_due(first)
    assert conversion.loading.begin(first, tokens[first]) is not None
    assert again(first).tries == 1 and again(first).lease_until > utcnow() + conversion.loading.LEASE / 2
    assert again(second).tries == 0


def test_a_batch_that_takes_too_long_gives_the_rest_back_untried(queued, monkeypatch):
    key = queued().id
    monkeypatch.setattr(conversion, "_BUDGET", -1)
    conversion.convert_due()
    assert (again(key).stage, again(key).lease_token, again(key).tries) == (Stage.QUEUED, None, 0)
    assert len(conversion.claim()) == 1


def test_a_document_taken_over_by_another_worker_in_the_middle_of_a_batch_is_skipped(queued, shelf, monkeypatch):
    key = queued().id
    real = conversion.claim

    def claim(limit):
        found = real(limit)
        again(key).lease_token = "somebody else"
        db.session.commit()
        return found

    monkeypatch.setattr(conversion, "claim", claim)
    conversion.convert_due()
    assert shelf.asked == [] and again(key).tries == 0 and again(key).lease_token == "somebody else"


def test_records_that_change_during_the_conversion_are_converted_instead(queued, adaptor):
    """Otherwise the old records would leave while the page shows the new ones."""
    document = queued()
    key = document.id
    [(document_id, token)] = conversion.claim()
    work = conversion.loading.begin(document_id, token)
    document = again(key)
    bundle = dict(document.bundle) | {"changed": True}
    read = SourceDocument(
        id=document.source_id, type=document.type, number=document.number, issue_date=document.issue_date, approved_at=None,
        customer_id=document.customer_source_id, customer_name=document.customer_name, currency="DKK",
        net=document.net, vat=document.vat, order_number=None, bundle=bundle,
    )  # fmt: skip
    documents._take_in(read, document, adaptor, False)
    db.session.commit()
    conversion._convert(work, conversion.sources.open_source(work.adaptor))
    assert db.session.scalar(select(func.count()).select_from(Delivery)) == 0
    conversion.convert_due()
    assert only_delivery(key).state is S.PENDING and again(key).bundle["changed"] is True


def test_a_blocked_one_that_a_person_takes_out_is_not_converted_after_all(queued, rule_of):
    document = queued()
    key, customer_id = document.id, document.customer_id
    rule_of(document).settings = {"customer": {"email": "not an address"}}
    db.session.commit()
    conversion.convert_due()
    saving.save_overrides(customer_id, {})
    actions.cancel(only_delivery(key), "ejer@example.com", "kreditering i stedet")
    assert conversion.convert_due() == 0
    assert only_delivery(key).state is S.CANCELLED and again(key).stage is Stage.CONVERTED


def test_a_document_taken_out_after_its_customer_was_deactivated_is_not_sent_when_the_customer_returns(
    queued, rule_of, adaptor
):
    document = queued()
    key, customer_id = document.id, document.customer_id
    rule_of(document).settings = {"customer": {"email": "not an address"}}
    db.session.commit()
    conversion.convert_due()
    rules.release_all_blocked(adaptor.id)
    rules.deactivate(adaptor.id, [customer_id])
    conversion.convert_due()
    assert again(key).stage is Stage.LISTED
    actions.cancel(only_delivery(key), "ejer@example.com", "må ikke sendes")
    assert again(key).stage is Stage.CONVERTED
    rule_of(again(key)).active = True
    assert not documents._wants_export(again(key), adaptor, documents._Buyer(is_active=True), False)


def no_drawing(_invoice):
    raise drawing.CannotDraw(Text("PDF'en kunne ikke tegnes; vi prøver igen.", "The PDF could not be drawn."))


def test_a_pdf_that_only_goes_along_and_cannot_be_drawn_keeps_nothing_back(queued, shelf, monkeypatch):
    key = queued().id
    shelf.answer = None
    monkeypatch.setattr(drawing, "draw", no_drawing)
    conversion.convert_due()
    assert only_delivery(key).state is S.PENDING and again(key).pdf_sha256 is None


def test_a_pdf_that_must_be_embedded_and_cannot_be_drawn_blocks_with_words_after_some_tries(
    queued, shelf, rule_of, monkeypatch
):
    document = queued()
    key, adaptor_id = document.id, document.adaptor_id
    rule_of(document).settings = {"general": {"embedPdf": True}}
    db.session.commit()
    shelf.answer = None
    with monkeypatch.context() as patched:
        patched.setattr(drawing, "draw", no_drawing)
        for _ in range(conversion.MOST_TRIES - 1):
            conversion.convert_due()
            assert again(key).stage is Stage.QUEUED and "tegnes" in again(key).error["da"]
            make_due(key)
        conversion.convert_due()
    row = only_delivery(key)
    assert row.state is S.BLOCKED and [(f["rule"], f["turn"]) for f in row.findings] == [("IA-PDF", "operator")]
    assert rules.release_all_blocked(adaptor_id) == 1
    conversion.convert_due()
    assert only_delivery(key).state is S.PENDING


def test_the_sources_pdf_is_fetched_again_where_the_archive_has_lost_it(queued, shelf):
    sha256 = archive.store(b"%PDF kept")
    key = queued(pdf_sha256=sha256).id
    archive.remove(sha256)
    conversion.convert_due()
    document = again(key)
    assert shelf.asked == [document.source_id] and only_delivery(key).state is S.PENDING
    assert archive.load(document.pdf_sha256) == b"%PDF-1.7 from the source" and not document.pdf_is_own


def test_what_is_waited_for_in_vain_is_told_to_a_person_after_some_hours(queued, monkeypatch):
    key = queued().id
    again(key).tries = conversion.MOST_WAITS - 2
    db.session.commit()

    def refuse(_adaptor):
        raise ServiceError(Text("En gemt adgangskode kan ikke læses.", "A saved password cannot be read."))

    with monkeypatch.context() as patched:
        patched.setattr(conversion.sources, "opener", refuse)
        conversion.convert_due()
        assert again(key).stage is Stage.QUEUED
        make_due(key)
        conversion.convert_due()
    row = only_delivery(key)
    assert again(key).stage is Stage.CONVERTED and row.state is S.BLOCKED
    assert [(f["rule"], f["turn"]) for f in row.findings] == [("IA-WAITED", "here")]
    assert "En gemt adgangskode kan ikke læses." in row.findings[0]["text"]["da"]
    rules.release_all_blocked(row.adaptor_id)
    conversion.convert_due()
    assert only_delivery(key).state is S.PENDING


def test_a_person_is_told_of_a_lasting_fault_after_about_four_hours():
    pauses = [conversion._PAUSE * min(tries, 10) for tries in range(1, conversion.MOST_WAITS)]
    assert timedelta(hours=4) <= sum(pauses, timedelta()) <= timedelta(hours=5)


def test_a_document_that_always_takes_its_worker_down_is_blocked_in_the_end(queued, shelf):
    key = queued(tries=conversion.MOST_WAITS).id
    conversion.convert_due()
    assert shelf.asked == [] and [f["rule"] for f in only_delivery(key).findings] == ["IA-INTERNAL"]


def test_a_format_that_does_not_exist_blocks_with_words_and_stops_no_other(queued, rule_of):
    document = queued("1001")
    bad, good = document.id, queued("1002").id
    rule_of(document).format = "gone"
    db.session.commit()
    conversion.convert_due()
    row = only_delivery(bad)
    assert row.state is S.BLOCKED and row.format == "gone" and row.findings[0]["rule"] == "IA-FORMAT"
    assert only_delivery(good).state is S.PENDING


@pytest.mark.parametrize(("room", "where"), [(conversion.loading, "begin"), (conversion, "_wait_or_block")])
def test_an_error_anywhere_around_a_conversion_stops_no_other(queued, monkeypatch, room, where):
    bad, good = queued("1001").id, queued("1002").id
    real = getattr(room, where)

    def fail(first, *rest):
        if bad in (first, getattr(getattr(first, "document", None), "id", None)):
            db.session.get_one(Document, bad)
            raise ZeroDivisionError
        return real(first, *rest)

    def render(source, bundle, *rest, **options):
        if bundle["invoice"]["invoiceNo"] == "1001":
            raise ZeroDivisionError
        return real_render(source, bundle, *rest, **options)

    real_render = conversion.render
    monkeypatch.setattr(conversion, "render", render)
    monkeypatch.setattr(room, where, fail)
    assert conversion.convert_due() == 2
    assert again(bad).stage is Stage.QUEUED and only_delivery(good).state is S.PENDING


@pytest.mark.parametrize("state", sorted(EXCLUSIVE - {S.BLOCKED}))
def test_a_document_that_has_a_delivery_already_gets_no_second_one(queued, make_delivery, shelf, gateway, state):
    document = queued()
    key = document.id
    other = Gateway(subscription_id=gateway.subscription_id, name="B", kind="fake", config={}, secrets={})
    db.session.add(other)
    db.session.flush()
    make_delivery(document, state).gateway_id = other.id
    db.session.commit()
    conversion.convert_due()
    assert again(key).stage is Stage.CONVERTED and again(key).lease_token is None and shelf.asked == []
    assert only_delivery(key).state is state


def test_bytes_sent_again_during_a_conversion_are_the_only_ones_sent(queued, make_delivery):
    """A cancelled one was built anew, and its old bytes sent again before the new ones were finished."""
    document = queued()
    key = document.id
    [(_, token)] = conversion.claim()
    work = conversion.loading.begin(key, token)
    make_delivery(again(key), S.PENDING)
    conversion._convert(work, conversion.sources.open_source(work.adaptor))
    assert again(key).stage is Stage.CONVERTED and only_delivery(key).rendition_id is None


def test_of_each_source_a_batch_asks_once_whose_books_it_opens(queued, shelf):
    queued("1001"), queued("1002")
    assert conversion.convert_due() == 2 and shelf.checked == 1


def test_another_companys_books_are_asked_for_nothing_and_the_document_waits_with_words(queued, shelf):
    key = queued().id
    shelf.company = replace(shelf.company, id="another", name="En anden ApS")
    conversion.convert_due()
    document = again(key)
    assert document.stage is Stage.QUEUED and "En anden ApS" in document.error["da"]
    assert "under Kilde" in document.error["da"] and shelf.asked == [] and shelf.asked_about == []
