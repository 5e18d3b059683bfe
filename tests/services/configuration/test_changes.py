from __future__ import annotations

import pytest

from invoiceapp.models import SettingsChange, db
from invoiceapp.services.configuration import changes, saving
from invoiceapp.services.configuration.changes import Difference
from invoiceapp.services.errors import Conflict


def test_differences_are_by_place_and_in_order():
    before = {"general": {"note": "A", "same": 1}, "formats": {"csv": {"dialect": "x"}}}
    after = {"general": {"note": "B", "same": 1}, "customer": {"orderNumber": "PO"}}
    assert changes.differences(before, after) == [
        Difference(("customer", "orderNumber"), None, "PO"),
        Difference(("formats", "csv", "dialect"), "x", None),
        Difference(("general", "note"), "A", "B"),
    ]


def test_the_history_of_one_customer_leaves_the_others_out(adaptor, make_customer):
    first, second = make_customer("A"), make_customer("B")
    for customer in (first, second, first):
        saving.save_overrides(
            customer.id, {"general.note": f"{customer.name} {db.session.query(SettingsChange).count()}"}
        )
    saving.save_common(adaptor.id, {"general.note": "Alle"})
    assert [row.customer_id for row in changes.of_adaptor(adaptor.id).changes] == [None, first.id, second.id, first.id]
    assert len(changes.of_adaptor(adaptor.id, first.id).changes) == 2


def test_the_pages_of_the_history_follow_without_repeating(adaptor):
    for number in range(5):
        saving.save_common(adaptor.id, {"general.note": str(number)})
    seen, before = [], ""
    while True:
        page = changes.of_adaptor(adaptor.id, before=before, size=2)
        seen += [row.after["general"]["note"] for row in page.changes]
        before = page.older
        if not before:
            break
    assert seen == ["4", "3", "2", "1", "0"]


def test_the_last_change_of_each_place_is_found(adaptor, make_customer):
    saving.save_common(adaptor.id, {"general.note": "A", "supplier.name": "B"}, actor="anna")
    saving.save_common(adaptor.id, {"general.note": "C"}, actor="bo")
    saving.save_overrides(make_customer().id, {"general.note": "D"}, actor="cilla")
    found = changes.last_of(adaptor.id, None, [("general", "note"), ("supplier", "name"), ("supplier", "city")])
    assert {place: row.actor for place, row in found.items()} == {
        ("general", "note"): "bo",
        ("supplier", "name"): "anna",
    }


def test_undo_takes_back_only_its_own_values(adaptor):
    first = saving.save_common(adaptor.id, {"general.note": "A"})
    saving.save_common(adaptor.id, {"supplier.name": "B"})
    changes.undo(first.change_id, "bo")
    db.session.expire_all()
    assert adaptor.settings == {"supplier": {"name": "B"}}
    row = db.session.get_one(SettingsChange, first.change_id)
    assert (row.undone_by, row.undone_at is None) == ("bo", False)


def test_undo_can_be_undone(adaptor):
    saved = saving.save_common(adaptor.id, {"general.note": "A"})
    changes.undo(saved.change_id, "bo")
    changes.undo(changes.of_adaptor(adaptor.id).changes[0].id, "bo")
    db.session.expire_all()
    assert adaptor.settings == {"general": {"note": "A"}}


def test_undo_refuses_what_was_changed_again_or_undone_already(adaptor):
    first = saving.save_common(adaptor.id, {"general.note": "A"})
    second = saving.save_common(adaptor.id, {"general.note": "B"})
    with pytest.raises(Conflict):
        changes.undo(first.change_id, "bo")
    changes.undo(second.change_id, "bo")
    with pytest.raises(Conflict):
        changes.undo(second.change_id, "bo")
    db.session.expire_all()
    assert adaptor.settings == {"general": {"note": "A"}}


def test_undo_refuses_where_the_customers_rule_is_gone(make_customer):
    customer = make_customer()
    saved = saving.save_overrides(customer.id, {"general.note": "A"})
    db.session.delete(customer.rule)
    db.session.commit()
    with pytest.raises(Conflict):
        changes.undo(saved.change_id, "bo")
