from __future__ import annotations

from dataclasses import replace

from support.population import BIS, OIOUBL, SILENCE, participant

from invoiceapp.discovery.base import Registered
from invoiceapp.domain.invoice import DocumentType
from invoiceapp.domain.network import Network, service_for
from invoiceapp.models import MatchState
from invoiceapp.services.reach import asking, lookups
from invoiceapp.services.reach.candidates import Facts
from invoiceapp.services.reach.deciding import Before, decide
from invoiceapp.services.reach.lookups import Known, Outcome
from invoiceapp.services.reach.ways import Way

S = MatchState
GLN, OTHER, THIRD, CVR = "5798000000001", "5798000000018", "5798000000025", "12345674"
WAYS = (Way("g", "Sproom", frozenset(Network)),)
KUNDE = Facts("c", "Bageriet Hjørnet", "DK", registration_no=CVR)
WITH_GLN = replace(KUNDE, gln=GLN)
SILENT = Known(Outcome.COULD_NOT_ASK, text=SILENCE)
NO = Known(Outcome.NOT_REGISTERED)
NOTHING = Before()


def yes(*addresses, name="Bageriet Hjørnet", company=CVR, offers=OIOUBL):
    return Known(
        Outcome.REGISTERED, tuple(Registered(participant(one), name, company, "DK", offers) for one in addresses)
    )


def decided(facts, company=NO, gln=NO, smp=NO, before=NOTHING, **more):
    """What is decided once all questions are answered."""
    answers: dict = {}
    while wanted := asking.questions(facts, answers):
        for question in wanted:
            text = question.text
            if question.network is not None:
                answers[question] = more.get(f"{question.network.value} {text}", smp)
            else:
                answers[question] = company if text == CVR else gln
    return decide(facts, answers, WAYS, before)


def rules(decision):
    return [remark.rule for remark in decision.remarks]


def after(decision):
    """The state before the next check."""
    first = next((route for route in decision.routes if route.is_found), None)
    routes = tuple(route.to_dict() for route in decision.routes)
    return Before(decision.state, str(first.participant) if first else None, routes)


def test_one_registered_address_is_found():
    decision = decided(KUNDE, yes(f"0184:{CVR}"))
    assert decision.state is S.FOUND and rules(decision) == []


def test_nobody_registered_is_not_found():
    assert decided(WITH_GLN).state is S.NOT_FOUND


def test_a_register_that_keeps_silent_is_an_error_and_never_not_found():
    decision = decided(KUNDE, SILENT, SILENT, SILENT)
    assert decision.state is S.ERROR and not decision.is_known
    (remark,) = decision.remarks
    assert remark.rule == "IA-NETWORK-UNANSWERED" and SILENCE.da in remark.text.da


def test_the_networks_own_no_counts_where_the_register_kept_silent():
    assert decided(KUNDE, SILENT, SILENT, NO).state is S.NOT_FOUND


def test_the_networks_own_yes_counts_where_the_register_kept_silent():
    decision = decided(KUNDE, SILENT, SILENT, NO, **{f"nemhandel 0184:{CVR}": yes(f"0184:{CVR}")})
    assert decision.state is S.FOUND and decision.routes[0].kind == "nemhandel"


def test_peppol_is_asked_where_the_register_has_nobody():
    decision = decided(KUNDE, **{f"peppol 0184:{CVR}": yes(f"0184:{CVR}", offers=BIS)})
    assert decision.state is S.FOUND and decision.routes[0].format == "peppol-bis-3"


def test_a_company_with_several_glns_is_for_a_person_to_choose():
    decision = decided(KUNDE, yes(f"0184:{CVR}", f"0088:{GLN}", f"0088:{OTHER}"))
    assert decision.state is S.SEVERAL and rules(decision) == ["IA-NETWORK-SEVERAL"]
    assert len(decision.routes) == 3


def test_a_gln_in_the_books_chooses_among_several():
    decision = decided(WITH_GLN, yes(f"0184:{CVR}", f"0088:{GLN}", f"0088:{OTHER}", f"0088:{THIRD}"))
    assert decision.state is S.FOUND and str(decision.routes[0].participant) == f"0088:{GLN}"


def test_what_a_person_accepted_chooses_among_several():
    several = yes(f"0184:{CVR}", f"0088:{GLN}", f"0088:{OTHER}")
    route = next(one for one in decided(KUNDE, several).routes if str(one.participant) == f"0088:{OTHER}")
    # Accepting an address that the books do not name makes it the customer's own.
    own = replace(KUNDE, own_address=participant(f"0088:{OTHER}"))
    assert decided(own, several, before=Before(accepted=route.to_dict())).state is S.FOUND


def test_a_gln_that_is_not_registered_where_the_company_has_one_other_is_told():
    decision = decided(WITH_GLN, yes(f"0088:{OTHER}"))
    remark = next(one for one in decision.remarks if one.rule == "IA-NETWORK-BETTER-GLN")
    assert OTHER in remark.text.da and remark.location == f"0088:{OTHER}"


def test_a_gln_that_is_registered_nowhere_is_told():
    assert "IA-NETWORK-UNREGISTERED" in rules(decided(WITH_GLN, yes(f"0184:{CVR}")))


def test_a_gln_of_another_company_is_told():
    decision = decided(WITH_GLN, NO, yes(f"0088:{GLN}", company="87654321"))
    assert "IA-NETWORK-OTHER-COMPANY" in rules(decision)


def test_another_name_and_a_missing_name_are_told():
    assert rules(decided(KUNDE, yes(f"0184:{CVR}", name="Vognmand Petersen"))) == ["IA-NETWORK-NAME"]
    assert rules(decided(KUNDE, yes(f"0184:{CVR}", name=None))) == ["IA-NETWORK-NO-NAME"]


def test_somebody_who_takes_no_invoices_is_not_found_and_told():
    decision = decided(KUNDE, yes(f"0184:{CVR}", offers=()))
    assert decision.state is S.NOT_FOUND and rules(decision) == ["IA-NETWORK-NO-INVOICES"]


def test_who_was_registered_and_is_not_has_vanished_and_stays_so():
    found = decided(KUNDE, yes(f"0184:{CVR}"))
    gone = decided(KUNDE, before=after(found))
    assert gone.state is S.VANISHED
    assert decided(KUNDE, before=Before(gone.state, f"0184:{CVR}")).state is S.VANISHED


def test_another_way_than_the_accepted_one_is_a_change():
    accepted = decided(KUNDE, yes(f"0184:{CVR}")).routes[0].to_dict()
    before = Before(S.FOUND, f"0184:{CVR}", (), None, accepted)
    assert decided(KUNDE, yes(f"0184:{CVR}"), before=before).state is S.FOUND
    assert decided(KUNDE, yes(f"0184:{CVR}", offers=BIS), before=before).state is S.CHANGED
    assert decided(KUNDE, before=before).state is S.VANISHED


def test_a_silent_register_neither_changes_nor_ends_what_was_accepted():
    accepted = decided(WITH_GLN, yes(f"0088:{GLN}")).routes[0].to_dict()
    before = Before(S.FOUND, f"0088:{GLN}", (), None, accepted)
    decision = decided(WITH_GLN, yes(f"0184:{CVR}"), SILENT, SILENT, before=before)
    assert decision.state is S.ERROR


def test_while_a_better_address_cannot_be_asked_about_no_other_one_is_proposed():
    """The GLN in the books is a department: what the company's number leads to may be another one."""
    decision = decided(WITH_GLN, yes(f"0184:{CVR}"), SILENT, SILENT)
    assert decision.state is S.ERROR and rules(decision) == ["IA-NETWORK-UNANSWERED"]
    assert decided(WITH_GLN, yes(f"0088:{OTHER}"), SILENT, SILENT).state is S.ERROR


def test_the_networks_answer_for_a_better_address_that_the_register_is_silent_about():
    decision = decided(WITH_GLN, yes(f"0184:{CVR}"), SILENT, NO)
    assert decision.state is S.FOUND and str(decision.routes[0].participant) == f"0184:{CVR}"
    there = {f"nemhandel 0088:{GLN}": yes(f"0088:{GLN}")}
    assert str(decided(WITH_GLN, yes(f"0184:{CVR}"), SILENT, NO, **there).routes[0].participant) == f"0088:{GLN}"


def test_what_a_worse_address_would_say_is_not_waited_for():
    assert decided(WITH_GLN, SILENT, SILENT, SILENT, **{f"nemhandel 0088:{GLN}": yes(f"0088:{GLN}")}).state is S.FOUND


def test_a_pinned_route_stays_first_and_nothing_takes_its_place():
    several = yes(f"0184:{CVR}", f"0088:{GLN}")
    pin = next(one for one in decided(WITH_GLN, several).routes if str(one.participant) == f"0184:{CVR}").to_dict()
    before = Before(S.FOUND, f"0184:{CVR}", (), pin, None)
    decision = decided(WITH_GLN, several, before=before)
    assert decision.state is S.FOUND and str(decision.routes[0].participant) == f"0184:{CVR}"
    assert decided(WITH_GLN, yes(f"0088:{GLN}"), before=before).state is S.VANISHED


def test_the_directory_only_suggests():
    nameless = replace(KUNDE, registration_no=None)
    question = asking.by_name(nameless)
    known = Known(Outcome.REGISTERED, (Registered(participant(f"0184:{CVR}"), "Bageriet Hjørnet ApS"),))
    assert asking.questions(nameless, {}) == [question]
    decision = decide(nameless, {question: known}, WAYS, Before())
    assert decision.state is S.NOT_FOUND and decision.routes == ()
    assert decision.remarks[0].rule == "IA-NETWORK-SUGGESTION" and decision.remarks[0].location == f"0184:{CVR}"


def test_a_danish_company_costs_one_question_and_is_not_searched_by_name():
    asked: list = []
    answers: dict = {}
    while wanted := asking.questions(WITH_GLN, answers):
        asked += wanted
        answers |= dict.fromkeys(wanted, yes(f"0088:{GLN}"))
    assert asked == [lookups.company(CVR)]


INVOICES = service_for(Network.NEMHANDEL, "oioubl-2.1", DocumentType.INVOICE)
SIGNED = lookups.endpoint(Network.NEMHANDEL, participant(f"0184:{CVR}"), INVOICES)


def with_registration(known: Known):
    answers: dict = {lookups.company(CVR): yes(f"0184:{CVR}"), SIGNED: known}
    return decide(KUNDE, answers, WAYS, NOTHING)


def test_a_registration_that_cannot_be_used_is_told_before_anything_is_sent():
    decision = with_registration(SILENT)
    assert decision.state is S.FOUND and rules(decision) == ["IA-NETWORK-UNUSABLE"]
    assert SILENCE.da in decision.remarks[0].text.da


def test_a_registration_that_the_network_itself_does_not_have_is_told_too():
    assert rules(with_registration(NO)) == ["IA-NETWORK-UNUSABLE"]


def test_a_registration_that_holds_needs_no_words():
    assert rules(with_registration(Known(Outcome.REGISTERED))) == []
