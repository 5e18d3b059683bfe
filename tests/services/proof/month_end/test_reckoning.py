from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.models import Stage
from invoiceapp.services.proof.canonical import canonical
from invoiceapp.services.proof.month_end import files, paper, series, words
from invoiceapp.services.proof.month_end.books import Books, Listed, Noted, Said, Taken, Then, Unreadable, Way
from invoiceapp.services.proof.month_end.groups import ARRIVED, Group
from invoiceapp.services.proof.month_end.reckoning import reckon

FIRST, LAST = date(2026, 11, 1), date(2026, 11, 30)
MOMENT = datetime(2026, 12, 1, 9, tzinfo=UTC)
SENT = Then("delivered", MOMENT - timedelta(days=1), "d", Way("oioubl-2.1", "sftp", False), None, 1)
STATUSES = sorted({state.value for state in DeliveryState} | {stage.value for stage in Stage} | {"something new"})


def listed(number: str, **columns: Any) -> Listed:
    values = {"type": "invoice", "day": date(2026, 11, 5), "customer": "Kommune", "currency": "DKK",
              "net": Decimal(100), "vat": Decimal(25), **columns}  # fmt: skip
    return Listed(id=f"s{number}", number=number, **values)


def noted(one: Listed, **columns: Any) -> Noted:
    values = {"currency": one.currency, "net": one.net, "vat": one.vat, "type": one.type, "day": one.day, **columns}
    return Noted(
        document_id=f"d{one.id}", source_id=one.id, number=one.number, customer=one.customer,
        **{"is_active": True, "awaits_approval": False, "status": "", "why_da": "", "why_en": "", **values},
    )  # fmt: skip


def taken(number: str, day: date = date(2026, 11, 5), state: str = "approved", kind: str = "invoice") -> Taken:
    return Taken(f"s{number}", kind, number, day, state)


def books(*documents: Listed, ours: tuple[Noted, ...] | None = None, **parts: Any) -> Books:
    values = {
        "unreadable": (),
        "taken": tuple(Taken(one.id, one.type, one.number, one.day, "approved") for one in documents),
    }
    return Books(
        FIRST, LAST, MOMENT, "Eksempel ApS", documents,
        noted=tuple(map(noted, documents)) if ours is None else ours, **{**values, **parts},
    )  # fmt: skip


def group(then: Then | None, **columns: Any) -> str:
    one = listed("1001")
    found = reckon(books(one, ours=(noted(one, **columns),)), {"ds1001": then} if then else {})
    return str(found["rows"][0]["group"])


# --- the arithmetic over any books ---------------------------------------------------------------------------------

MONEY = st.decimals(Decimal("-99999.9999"), Decimal("99999.9999"), places=4, allow_nan=False)
CURRENCIES = st.sampled_from(("DKK", "EUR", "SEK"))
WAYS = st.none() | st.builds(Way, st.just("peppol-bis-3"), st.just("sftp"), st.booleans())
THENS = st.none() | st.builds(
    Then, st.sampled_from(STATUSES), st.just(MOMENT), st.just("d"), WAYS, st.sampled_from((None, Said("ejer@example.com", MOMENT, "ringet"))),
    st.integers(0, 3),
)  # fmt: skip


@st.composite
def any_books(draw: st.DrawFn) -> tuple[Books, dict[str, Then]]:
    documents, ours, history = [], [], {}
    for number in range(draw(st.integers(0, 8))):
        kind, day = draw(st.sampled_from(("invoice", "creditNote"))), draw(st.dates(FIRST, LAST))
        one = listed(
            str(1000 + draw(st.integers(0, 12))), type=kind, day=day, currency=draw(CURRENCIES), net=draw(MONEY), vat=draw(MONEY)
        )  # fmt: skip
        one = replace(one, id=f"s{number}")
        where = draw(st.sampled_from(("both", "both", "theirs", "ours")))
        if where != "ours":
            documents.append(one)
        if where != "theirs":
            known = {"net": draw(MONEY), "currency": draw(CURRENCIES)} if draw(st.booleans()) else {}
            ours.append(noted(one, is_active=draw(st.booleans()), awaits_approval=draw(st.booleans()), **known))
            if then := draw(THENS):
                history[ours[-1].document_id] = then
    unreadable = tuple(Unreadable(f"u{n}", "i stykker", "broken") for n in range(draw(st.integers(0, 2))))
    numbers = draw(st.lists(st.integers(990, 1020), max_size=6, unique=True))
    others = tuple(taken(str(n), draw(st.dates(date(2026, 10, 1), date(2026, 12, 31)))) for n in numbers)
    return books(*documents, ours=tuple(ours), unreadable=unreadable, taken=others), history


def sums(rows: Any) -> dict[str, tuple[int, Decimal, Decimal]]:
    """By a way of its own: ``(type, currency, net, vat)`` -> documents, net and VAT by currency."""
    found: dict[str, tuple[int, Decimal, Decimal]] = {}
    for kind, currency, net, vat in rows:
        sign = -1 if kind == "creditNote" else 1
        count, before_net, before_vat = found.get(currency, (0, Decimal(0), Decimal(0)))
        found[currency] = (count + 1, before_net + sign * net, before_vat + sign * vat)
    return found


def read(stored: dict[str, Any]) -> dict[str, tuple[int, Decimal, Decimal]]:
    return {currency: (one["documents"], Decimal(one["net"]), Decimal(one["vat"])) for currency, one in stored.items()}


@settings(deadline=None, max_examples=80)
@given(any_books())
def test_nothing_is_in_no_group_and_all_adds_up_to_the_accounts(generated):
    given_books, history = generated
    result = reckon(given_books, history)
    # Each document of theirs once, and in one group.
    ids = [one.id for one in given_books.documents] + [one.id for one in given_books.unreadable]
    assert sorted(row["source_id"] for row in result["rows"]) == sorted(ids)
    assert result["documents"] == sum(one["documents"] for one in result["groups"]) == len(ids)
    # In money, too: per group, and in total.
    theirs = {one.id: (one.type, one.currency, one.net, one.vat) for one in given_books.documents}
    assert read(result["totals"]) == sums(theirs.values())
    for one in result["groups"]:
        mine = [
            theirs[row["source_id"]]
            for row in result["rows"]
            if row["group"] == one["group"] and row["source_id"] in theirs
        ]
        assert read(one["sums"]) == sums(mine)
        assert all(
            Decimal(part["gross"]) == Decimal(part["net"]) + Decimal(part["vat"]) for part in one["sums"].values()
        )
    added: dict[str, tuple[int, Decimal, Decimal]] = {}
    for one in result["groups"]:
        for currency, part in read(one["sums"]).items():
            added[currency] = tuple(a + b for a, b in zip(added.get(currency, (0, 0, 0)), part, strict=True))  # type: ignore[assignment]
    assert added == read(result["totals"])
    # What arrived: theirs less what was sent is the difference.
    known = {one.source_id: (one.type, one.currency, one.net, one.vat) for one in given_books.noted}
    arrived = [row["source_id"] for row in result["rows"] if row["group"] in {one.value for one in ARRIVED}]
    listed_sums, sent_sums = sums(theirs[one] for one in arrived), sums(known[one] for one in arrived)
    assert (read(result["sent"]["listed"]), read(result["sent"]["sent"])) == (listed_sums, sent_sums)
    nothing = (0, Decimal(0), Decimal(0))
    for currency, (count, net, vat) in read(result["sent"]["difference"]).items():
        one, other = listed_sums.get(currency, nothing), sent_sums.get(currency, nothing)
        assert (count, net, vat) == (one[0] - other[0], one[1] - other[1], one[2] - other[2])
    assert {row["source_id"] for row in result["rows"] if row["sent"]} >= {
        one for one in arrived if theirs[one] != known[one]
    }


@settings(deadline=None, max_examples=40)
@given(any_books(), st.randoms())
def test_the_order_of_what_is_read_changes_no_byte(generated, shuffle):
    given_books, history = generated
    parts: dict[str, Any] = {}
    for name in ("documents", "unreadable", "taken", "noted"):
        rows = list(getattr(given_books, name))
        shuffle.shuffle(rows)
        parts[name] = tuple(rows)
    other = replace(given_books, **parts)
    one, again = (canonical(each.to_json()) for each in (given_books, other))
    assert one == again
    result, back = reckon(given_books, history), reckon(Books.from_json(files.read(again)), history)
    assert canonical(result) == canonical(back)
    assert files.csv_of(result, "da") == files.csv_of(back, "da")


# --- groups --------------------------------------------------------------------------------------------------------


def test_each_status_has_its_group():
    of = {status: group(replace(SENT, status=status)) for status in STATUSES}
    assert {name for name, found in of.items() if found == "unproved"} == {
        "converted", "leased", "sending", "superseded", "something new",
    }  # fmt: skip
    assert (of["delivered"], of["outcome_unknown"], of["queued"], of["skipped"]) == (
        "delivered", "unknown", "waiting", "sent_itself",
    )  # fmt: skip
    assert set(of.values()) == {one.value for one in Group} - {
        "unreadable", "not_read", "approval", "tested", "not_activated", "elsewhere", "elsewhere_open",
    }  # fmt: skip


def test_what_was_not_here_at_the_moment_was_not_read():
    assert group(None) == "not_read"
    assert reckon(books(listed("1001"), ours=()), {})["rows"][0]["document_id"] is None


def test_a_delivery_whose_row_is_gone_proves_nothing():
    assert group(replace(SENT, way=None)) == "unproved"


def test_a_test_reaches_nobody_and_a_second_person_is_waited_for():
    assert group(replace(SENT, way=Way("x", "sftp", True))) == "tested"
    blocked = replace(SENT, status="blocked")
    assert (group(blocked), group(blocked, awaits_approval=True)) == ("blocked", "approval")
    on_the_list = replace(SENT, status="listed", way=None)
    assert (group(on_the_list), group(on_the_list, is_active=False)) == ("left_out", "not_activated")


def test_an_amount_that_is_not_what_was_sent_is_a_warning():
    one = listed("1001", type="creditNote", net=Decimal("100.01"))
    result = reckon(books(one, ours=(noted(one, net=Decimal(100)),)), {"ds1001": SENT})
    assert result["rows"][0]["sent"] == {"type": "creditNote", "currency": "DKK", "net": "100", "vat": "25"}
    assert result["sent"]["difference"]["DKK"] == {"documents": 0, "net": "-0.01", "vat": "0", "gross": "-0.01"}
    assert result["warnings"] == 1


def test_what_only_we_have_is_told_and_loud_where_it_has_left():
    gone, voided = listed("1001"), listed("1002")
    ours = (noted(gone, standing="gone"), noted(voided, standing="voided"))
    history = {"ds1001": SENT, "ds1002": replace(SENT, status="listed", way=None)}
    result = reckon(books(ours=ours), history)
    assert [(row["number"], row["standing"], row["group"]) for row in result["only_ours"]] == [
        ("1002", "voided", "left_out"), ("1001", "gone", "delivered"),
    ]  # fmt: skip
    assert (result["documents"], result["warnings"]) == (0, 1)


# --- the series ----------------------------------------------------------------------------------------------------


def gaps(*numbers: Taken) -> list[tuple[str, str, int]]:
    return [(gap["first"], gap["last"], gap["count"]) for gap in reckon(books(taken=numbers), {})["gaps"]]


def test_missing_numbers_are_told_as_ranges():
    assert gaps(*map(taken, ("1005", "1006", "1010", "1012"))) == [("1007", "1009", 3), ("1011", "1011", 1)]


def test_the_ends_of_the_period_are_judged_by_the_neighbours_outside():
    before, after = taken("1003", date(2026, 10, 30)), taken("1008", date(2026, 12, 1))
    assert gaps(before, taken("1005"), taken("1006"), after) == [("1004", "1004", 1), ("1007", "1007", 1)]
    assert gaps(taken("990", date(2026, 10, 2)), before) == []


def test_credit_notes_share_the_series_and_drafts_and_voided_ones_have_their_numbers():
    shared = (
        taken("1001"),
        taken("1002", kind="creditNote"),
        taken("1003", state="voided"),
        taken("1004", state="draft"),
    )
    assert gaps(*shared, taken("1005")) == []
    found = reckon(books(taken=(*shared, taken("1005"))), {})["explained"]
    assert [(one["number"], one["state"]) for one in found] == [("1003", "voided"), ("1004", "draft")]


def test_a_series_of_its_own_is_no_gap_and_zeros_are_kept():
    own = (taken("7", kind="creditNote"), taken("8", kind="creditNote"))
    assert gaps(taken("1001"), taken("1002"), *own) == []
    assert gaps(taken("2026-0008"), taken("2026-0010"), taken("A-1"), taken("uden")) == [("2026-0009", "2026-0009", 1)]


def test_a_number_that_is_there_twice_and_a_second_real_delivery_are_told():
    one, other = listed("1001"), replace(listed("1001"), id="other")
    result = reckon(books(one, other, listed("1002")), {"ds1001": replace(SENT, real=2)})
    assert [(found["kind"], found["number"], found["count"]) for found in result["duplicates"]] == [
        ("delivery", "1001", 2), ("number", "1001", 2),
    ]  # fmt: skip


def test_a_gap_names_what_we_have_of_it():
    gone = listed("1007")
    result = reckon(books(ours=(noted(gone, standing="gone"),), taken=(taken("1006"), taken("1008"))), {"ds1007": SENT})
    assert result["gaps"] == [{"first": "1007", "last": "1007", "count": 1, "here": ["1007"]}]


def test_every_row_of_the_csv_has_all_columns_and_no_formula():
    one = listed("1001", customer="=HYPERLINK(1)")
    lines = files.csv_of(
        reckon(books(one, taken=(taken("1001"), taken("1004"))), {"ds1001": SENT}), "da"
    ).decode().splitlines()  # fmt: skip
    assert lines[0].startswith("\ufeffGruppe;") and {line.count(";") for line in lines} == {16}
    assert lines[1].startswith("Modtaget;") and "'=HYPERLINK(1);DKK;100,00;25,00;125,00" in lines[1]
    assert lines[2].startswith("Hul i nummerserien;2 numre. ") and ";1002–1003;" in lines[2]


# --- what explains a row --------------------------------------------------------------------------------------------


def explained(then: Then, **columns: Any) -> str:
    one = listed("1001")
    return words.why(reckon(books(one, ours=(noted(one, **columns),)), {"ds1001": then})["rows"][0]).da


def test_what_another_adaptor_was_left_to_is_sent_only_where_that_one_has_arrived():
    one = listed("1001")
    left = replace(SENT, status="skipped", way=None, delivery_id=None, real=0)
    ours = (noted(one, status="skipped", elsewhere="there", why_da="Gennem adaptoren »Jylland«.", why_en="x"),)

    def found(there: Then | None) -> tuple[str, str]:
        history = {"ds1001": left, **({"there": there} if there else {})}
        row = reckon(books(one, ours=ours), history)["rows"][0]
        return row["group"], words.why(row).da

    assert found(SENT) == ("elsewhere", "Gennem adaptoren »Jylland«. Dér: Modtaget.")
    assert found(replace(SENT, status="failed")) == ("elsewhere_open", "Gennem adaptoren »Jylland«. Dér: Ikke sendt.")
    assert found(replace(SENT, way=Way("x", "sftp", True)))[0] == "elsewhere_open"
    assert found(None)[0] == found(replace(SENT, way=None))[0] == "elsewhere_open"


def test_an_explanation_says_no_more_than_the_way_has_proven():
    mail = replace(SENT, status="accepted", way=Way("x", "email", False))
    assert explained(mail).startswith("Mailserveren har taget mailen")
    assert explained(replace(mail, status="delivered", way=Way("x", "sftp", False))).startswith("Filen ligger i")


def test_what_a_person_has_marked_is_told_with_their_name_and_words():
    then = replace(SENT, status="accepted", said=Said("bo@example.com", MOMENT, "Ringede til Ib"))
    assert explained(then) == "Markeret som modtaget af bo@example.com 1. dec. 2026 10.00: »Ringede til Ib«"


def test_a_reason_of_another_status_than_that_of_the_moment_is_not_told():
    blocked = {"status": "blocked", "why_da": "EAN mangler.", "why_en": "No EAN."}
    assert explained(replace(SENT, status="blocked"), **blocked) == "EAN mangler."
    assert explained(SENT, **blocked).startswith("Filen ligger i")


def test_what_has_left_here_and_by_another_channel_is_told():
    one, other = listed("1001"), listed("1002")
    ours = (noted(one, also_by_source=True), noted(other, also_by_source=True))
    history = {"ds1001": SENT, "ds1002": replace(SENT, status="pending", real=0)}
    result = reckon(books(one, other, ours=ours), history)
    assert [(found["kind"], found["number"]) for found in result["duplicates"]] == [("source", "1001")]
    assert "Sendt både herfra og af regnskabsprogrammet (1)" in [line.what for line in paper.attention(result, "da")]


def test_lines_count_gaps_and_numbers_and_lead_to_documents():
    one = listed("1001")
    result = reckon(
        books(one, taken=tuple(map(taken, ("1001", "1003", "1006")))), {"ds1001": replace(SENT, status="failed")}
    )
    gaps_line, failed = paper.attention(result, "da")
    assert (gaps_line.what, [number for number, _id in gaps_line.numbers]) == (
        "Hul i nummerserien (2 huller, 3 numre)", ["1002", "1004–1005"],
    )  # fmt: skip
    assert (failed.what, failed.numbers) == ("Ikke sendt (1)", [("1001", "ds1001")]) and failed.advice


def test_numbers_in_a_gap_are_those_of_its_series_and_no_others():
    here = series.Numbers(["A-7", "1007", "01009", "uden", "1010", "1006"])
    assert here.within(series.Gap("1007", "1009", 3)) == ["1007", "01009"]


def test_paper_and_csv_name_what_they_are_about_in_words():
    one = listed("1001")
    given = replace(books(one), registration="12345674", adaptor="Jylland")
    result = reckon(given, {"ds1001": SENT})
    page = paper.html(result, paper.Prints("01PROOF", "bo", "l", "r", "c", "x"), "da")
    assert all(part in page for part in ("12345674", "Jylland", "01PROOF", "Faktura"))
    line = files.csv_of(result, "da").decode().splitlines()[1]
    assert ";30-11-2026 10:00;OIOUBL 2.1 (NemHandel);SFTP;" in line
