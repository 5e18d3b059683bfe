from __future__ import annotations

import pytest
from support.population import BIS, OIOUBL, participant

from invoiceapp.discovery.base import Offer, Registered
from invoiceapp.domain.network import Identifier, Network
from invoiceapp.services.reach import lookups
from invoiceapp.services.reach.candidates import Basis, Facts
from invoiceapp.services.reach.lookups import Known, Outcome
from invoiceapp.services.reach.routes import Listed, Route, RouteKind, find, today
from invoiceapp.services.reach.ways import Way, by_network

GLN, CVR = "5798000000001", "12345674"
NEMHANDEL = Way("g-nemhandel", "Sproom", frozenset({Network.NEMHANDEL}), frozenset({"oioubl-2.1"}))
PEPPOL = Way("g-peppol", "Recommand", frozenset({Network.PEPPOL}), frozenset({"peppol-bis-3"}))
SFTP = Way("g-sftp", "SFTP hos kunden")
MAIL = Way("g-mail", "E-mail", mails=True)
WAYS = (NEMHANDEL, PEPPOL, SFTP, MAIL)


def facts(**more):
    return Facts(**{"customer_id": "c", "name": "Bageriet Hjørnet ApS", "country": "DK", "registration_no": CVR} | more)


def one(address, offers=OIOUBL, name="Bageriet Hjørnet", company=CVR):
    return Registered(participant(address), name, company, "DK", offers)


def company(*found, name="Bageriet Hjørnet"):
    outcome = Outcome.REGISTERED if found else Outcome.NOT_REGISTERED
    return {lookups.company(CVR): Known(outcome, found, name)}


def kinds(routes):
    return [(route.kind.value, str(route.participant)) for route in routes]


def test_nemhandel_by_gln_comes_before_nemhandel_by_cvr_and_peppol_after_both():
    both = OIOUBL + BIS
    found = find(facts(gln=GLN), company(one(f"0184:{CVR}", both), one(f"0088:{GLN}", both)), WAYS)
    assert kinds(found) == [
        ("nemhandel", f"0088:{GLN}"), ("nemhandel", f"0184:{CVR}"), ("peppol", f"0088:{GLN}"), ("peppol", f"0184:{CVR}"),
    ]  # fmt: skip


def test_the_address_that_the_user_has_set_comes_first_even_by_peppol():
    answers = company(one(f"0184:{CVR}"), one(f"0088:{GLN}", BIS))
    found = find(facts(own_address=participant(f"0088:{GLN}")), answers, WAYS)
    assert kinds(found)[0] == ("peppol", f"0088:{GLN}") and found[0].basis is Basis.SETTING


def test_the_agreed_gateway_comes_after_the_networks_and_e_mail_last():
    found = find(
        facts(gateway_id="g-sftp", format="oioubl-2.1", email="faktura@kunde.dk"), company(one(f"0184:{CVR}")), WAYS,
        [Listed("Bageriet Hjørnet", participant(f"0184:{CVR}"), ("json",), "ind@kunde.dk")],
    )  # fmt: skip
    assert [route.kind for route in found] == [RouteKind.NEMHANDEL, RouteKind.AGREED, RouteKind.LOCAL, RouteKind.EMAIL]
    assert [route.gateway_id for route in found] == ["g-nemhandel", "g-sftp", "g-mail", "g-mail"]
    assert found[1].format == "oioubl-2.1" and found[3].format == "pdf" and found[3].email == "faktura@kunde.dk"


def test_a_network_or_e_mail_gateway_is_no_agreement():
    for way in (NEMHANDEL, MAIL):
        assert find(facts(gateway_id=way.id, format="oioubl-2.1"), company(), WAYS) == []


def test_the_format_is_what_the_receiver_takes():
    assert [route.format for route in find(facts(), company(one(f"0184:{CVR}", OIOUBL)), WAYS)] == ["oioubl-2.1"]
    assert [route.format for route in find(facts(), company(one(f"0184:{CVR}", BIS)), WAYS)] == ["peppol-bis-3"]


def test_only_the_document_types_that_are_registered_are_taken():
    invoices = tuple(offer for offer in BIS if "Invoice-2" in offer.document_id.value)
    (route,) = find(facts(), company(one(f"0184:{CVR}", invoices)), WAYS)
    assert route.document_types == ("invoice",)
    (route,) = find(facts(), company(one(f"0184:{CVR}", BIS)), WAYS)
    assert route.document_types == ("invoice", "creditNote")


@pytest.mark.parametrize(
    ("profile", "taken"),
    [
        ("Peppol BIS3 Billing", ("invoice", "creditNote")),
        ("Peppol BIS3 Invoice", ("invoice",)),
        ("Peppol BIS3 Credit Note", ("creditNote",)),
    ],
)
def test_a_profile_of_one_kind_of_document_is_none_of_another(profile, taken):
    (route,) = find(facts(), company(one(f"0184:{CVR}", (Offer(Network.PEPPOL, profile=profile),))), WAYS)
    assert route.document_types == taken


def test_a_registration_for_other_documents_is_no_route():
    order = Offer(
        Network.PEPPOL, Identifier("busdox-docid-qns", "urn:oasis:names:specification:ubl:schema:xsd:Order-2::Order")
    )
    profile = Offer(Network.NEMHANDEL, profile="Reference-Utility-1.0")
    assert find(facts(), company(one(f"0184:{CVR}", (order, profile))), WAYS) == []


def test_a_document_in_a_foreign_process_is_no_route():
    process = Identifier("cenbii-procid-ubl", "urn:fdc:peppol.eu:poacc:bis:punch_out:3")
    assert find(facts(), company(one(f"0184:{CVR}", (Offer(Network.PEPPOL, BIS[0].document_id, process),))), WAYS) == []


def test_without_a_gateway_into_the_network_the_route_says_what_to_do():
    (route,) = find(facts(), company(one(f"0184:{CVR}")), [PEPPOL, SFTP])
    assert route.gateway_id is None and "NemHandel" in route.obstacle.da and "udbyder" in route.obstacle.da


def test_of_several_gateways_the_most_used_is_taken_then_by_name():
    many = [Way("b", "Beta", NEMHANDEL.networks), Way("a", "Alfa", NEMHANDEL.networks)]
    assert by_network(many, Network.NEMHANDEL, "oioubl-2.1").id == "a"
    many.append(Way("c", "Gamma", NEMHANDEL.networks, used=7))
    assert by_network(many, Network.NEMHANDEL, "oioubl-2.1").id == "c"
    assert by_network(many, Network.NEMHANDEL, "oioubl-2.1", preferred="b").id == "b"


def test_a_gateway_that_is_not_ready_is_only_taken_where_there_is_no_other():
    unready = Way("p", "Alfa", NEMHANDEL.networks, is_ready=False, used=100)
    assert by_network([unready, NEMHANDEL], Network.NEMHANDEL, "oioubl-2.1", preferred="p").id == "g-nemhandel"
    assert by_network([unready], Network.NEMHANDEL, "oioubl-2.1").id == "p"


def test_a_gateway_that_does_not_carry_the_format_is_not_taken():
    assert (
        by_network([Way("x", "X", NEMHANDEL.networks, frozenset({"peppol-bis-3"}))], Network.NEMHANDEL, "oioubl-2.1")
        is None
    )


def test_confidence_falls_with_another_name_and_with_another_company():
    same = find(facts(), company(one(f"0184:{CVR}")), WAYS)[0].confidence
    other = find(facts(), company(one(f"0184:{CVR}", name="Vognmand Petersen")), WAYS)[0].confidence
    foreign = find(facts(), company(one(f"0184:{CVR}", company="87654321")), WAYS)[0].confidence
    assert same > 90 > other and same - foreign == 40


def test_the_companys_name_stands_in_where_the_address_has_none():
    (route,) = find(facts(), company(one(f"0184:{CVR}", name=None)), WAYS)
    assert route.registered_name == "Bageriet Hjørnet"


def test_a_foreign_customer_goes_by_what_its_network_registration_says():
    belgian = Facts("c", "Bakkerij", "BE", registration_no="0403170701")
    address = participant("0208:0403170701")
    answers = {
        lookups.registration(Network.PEPPOL, address): Known(
            Outcome.REGISTERED, (Registered(address, offers=BIS),)
        )
    }  # fmt: skip
    (route,) = find(belgian, answers, WAYS)
    assert route.kind is RouteKind.PEPPOL and route.participant == address and route.gateway_id == "g-peppol"


def test_other_addresses_of_the_company_come_last_for_a_person_to_choose():
    found = find(facts(), company(one("0088:5798000000018"), one(f"0184:{CVR}")), WAYS)
    assert [route.basis for route in found] == [Basis.REGISTRATION, Basis.COMPANY]


@pytest.mark.parametrize("with_gateways", [WAYS, ()])
def test_a_route_survives_being_stored(with_gateways):
    listed = [Listed("Hjørnet", participant(f"0184:{CVR}"), ("json",), "ind@kunde.dk")]
    found = find(facts(email="a@b.dk"), company(one(f"0184:{CVR}")), with_gateways, listed)
    assert len(found) == 3 and [Route.from_dict(route.to_dict()) for route in found] == found


def todays(gateways, pinned=None):
    """The stored NemHandel and e-mail routes, found by Sproom and the mailbox, as they are by other gateways."""
    stored = [route.to_dict() for route in find(facts(email="a@b.dk"), company(one(f"0184:{CVR}")), [NEMHANDEL, MAIL])]
    return today(stored, stored[0] if pinned else None, gateways)


def test_a_stored_route_follows_the_gateways_that_exist_now():
    other, letters = Way("o", "Ny", NEMHANDEL.networks), Way("m", "Ny post", mails=True)
    assert [route.gateway_id for route in todays([other, letters])] == ["o", "m"]
    gone = todays([])
    assert [route.gateway_id for route in gone] == [None, None]
    assert "NemHandel" in gone[0].obstacle.da and "e-mail" in gone[1].obstacle.da
    back = today([route.to_dict() for route in gone], None, [other, letters])
    assert [(route.gateway_id, route.obstacle) for route in back] == [("o", None), ("m", None)]


def test_a_pinned_route_keeps_its_gateway_while_that_exists():
    often = Way("o", "Ny", NEMHANDEL.networks, used=9)
    assert todays([NEMHANDEL, often])[0].gateway_id == "o"
    assert todays([NEMHANDEL, often], pinned=True)[0].gateway_id == "g-nemhandel"
    assert todays([often], pinned=True)[0].gateway_id == "o"


def test_an_agreed_route_is_its_gateway():
    (route,) = find(facts(format="json", gateway_id="g-sftp"), {}, [SFTP])
    assert today([route.to_dict()], None, [NEMHANDEL]) == [route]
