"""What a person should know of a customer's address: a wrong or better GLN, another name, nobody to ask. No database."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from invoiceapp.domain.findings import Finding, Severity, Text, Turn
from invoiceapp.domain.identifiers import GLN, Participant

from . import asking, candidates, names, routes
from .asking import Answers
from .candidates import Basis, Facts
from .routes import Route

#: Ways that a finding names with an address in ``location``: the page can offer to use it.
BETTER = "IA-NETWORK-BETTER-GLN"
SUGGESTED = "IA-NETWORK-SUGGESTION"
_MOST_SUGGESTED = 3


def _finding(
    rule: str, severity: Severity, da: str, en: str, turn: Turn = Turn.HERE, *,
    fix: str | None = "customer.match", address: Participant | None = None,
) -> Finding:  # fmt: skip
    return Finding(rule, severity, Text(da, en), turn, "BT-49", str(address) if address else None, fix)


def remarks(facts: Facts, answers: Answers, found: Sequence[Route]) -> list[Finding]:
    """All that is to be said, the wrong number in the books first."""
    return [
        *candidates.remarks(facts),
        *_unregistered(facts, answers, found),
        *_several(facts, found),
        *_of_another(facts, answers),
        *_takes_no_invoices(facts, answers, found),
        *_unusable(answers, found),
        *_name(facts, found),
        *_unclear(facts, answers),
        *_suggested(facts, answers, found),
    ]


def _unregistered(facts: Facts, answers: Answers, found: Sequence[Route]) -> Iterator[Finding]:
    """The address in the books is provably registered nowhere."""
    known = asking.registrations(facts, answers)
    if not known:
        return
    first = known[0]
    if first.registered is not None or first.is_unclear or first.candidate.basis is Basis.REGISTRATION:
        return
    address = first.candidate.participant
    others = _other_glns(found)
    if address.scheme == GLN and len(others) == 1:
        better = others[0]
        yield _finding(
            BETTER, Severity.WARNING,
            f"GLN-nummeret {address.value} er ikke registreret, men virksomheden har ét andet: {better.value}. Spørg kunden, om "
            "det er det rigtige, før I bruger det.",
            f"The GLN {address.value} is not registered, but the company has one other: {better.value}. Ask the customer "
            "whether it is the right one before you use it.", address=better,
        )  # fmt: skip
        return
    yield _finding(
        "IA-NETWORK-UNREGISTERED", Severity.WARNING,
        f"{routes.shown(address)} er ikke registreret som modtager. Spørg kunden om den rigtige adresse.",
        f"{routes.shown(address)} is not registered as a receiver. Ask the customer for the right address.",
    )  # fmt: skip


def _other_glns(found: Sequence[Route]) -> list[Participant]:
    addresses = (route.participant for route in found if route.basis is Basis.COMPANY)
    return list(dict.fromkeys(one for one in addresses if one is not None and one.scheme == GLN))


def _several(facts: Facts, found: Sequence[Route]) -> Iterator[Finding]:
    addresses = {route.participant for route in found if route.basis is Basis.COMPANY}
    is_said = any(route.basis in (Basis.SETTING, Basis.GLN) for route in found)
    if len(addresses) < 2 or is_said:
        return
    yield _finding(
        "IA-NETWORK-SEVERAL", Severity.WARNING,
        f"Virksomheden har {len(addresses)} adresser under samme CVR-nummer. Spørg kunden, hvilken der skal bruges, og vælg den.",
        f"The company has {len(addresses)} addresses under the same CVR number. Ask the customer which one to use, and choose "
        "it.",
    )  # fmt: skip


def _of_another(facts: Facts, answers: Answers) -> Iterator[Finding]:
    for one in asking.registrations(facts, answers):
        if one.registered is None or not routes.is_of_another(facts, one.registered):
            continue
        yield _finding(
            "IA-NETWORK-OTHER-COMPANY", Severity.WARNING,
            f"{routes.shown(one.candidate.participant)} tilhører virksomheden med CVR-nummer {one.registered.company}, men "
            f"regnskabet har CVR-nummer {facts.cvr}. Ret det af dem, der er forkert.",
            f"{routes.shown(one.candidate.participant)} belongs to the company with CVR number {one.registered.company}, but the "
            f"books have CVR number {facts.cvr}. Correct the one that is wrong.", Turn.SOURCE, fix="customer.gln",
        )  # fmt: skip


def _takes_no_invoices(facts: Facts, answers: Answers, found: Sequence[Route]) -> Iterator[Finding]:
    reached = {route.participant for route in found}
    for one in asking.registrations(facts, answers):
        address = one.candidate.participant
        if one.registered is None or address in reached:
            continue
        yield _finding(
            "IA-NETWORK-NO-INVOICES", Severity.WARNING,
            f"{routes.shown(address)} er registreret, men ikke til at modtage fakturaer i et format, som vi kan lave.",
            f"{routes.shown(address)} is registered, but not to receive invoices in a format that we can make.", Turn.RECEIVER,
        )  # fmt: skip


def _unusable(answers: Answers, found: Sequence[Route]) -> Iterator[Finding]:
    """Registered by name, and yet nothing can be sent: the registration has ended, or cannot be believed."""
    route = next((one for one in found if one.registration in answers), None)
    known = answers[route.registration] if route is not None and route.registration is not None else None
    if route is None or route.participant is None or known is None or known.is_registered:
        return
    address, da, en = routes.shown(route.participant), "", ""
    if known.text is not None:
        da, en = f" {known.text.da}", f" {known.text.en}"
    yield _finding(
        "IA-NETWORK-UNUSABLE", Severity.WARNING,
        f"{address} står i registret, men tilmeldingen kan ikke bruges lige nu, så et dokument vil næppe nå frem.{da} Spørg "
        "kunden, eller vælg en anden vej.",
        f"{address} stands in the register, but the registration cannot be used just now, so a document will hardly arrive.{en} "
        "Ask the customer, or choose another way.", Turn.RECEIVER,
    )  # fmt: skip


def _name(facts: Facts, found: Sequence[Route]) -> Iterator[Finding]:
    route = next((one for one in found if one.is_found), None)
    if route is None:
        return
    if route.registered_name is None:
        yield _finding(
            "IA-NETWORK-NO-NAME", Severity.INFO,
            "Registret oplyser intet navn, så kun nummeret viser, at det er kunden.",
            "The register tells no name, so only the number shows that it is the customer.",
        )  # fmt: skip
    elif names.similarity(facts.name, route.registered_name) < names.ALIKE:
        yield _finding(
            "IA-NETWORK-NAME", Severity.WARNING,
            f"Registret kalder adressen »{route.registered_name}«, men i regnskabet hedder kunden »{facts.name}«. Se efter, om "
            "nummeret er kundens.",
            f"The register calls the address “{route.registered_name}”, but in the books the customer is “{facts.name}”. Check "
            "that the number is the customer's.",
        )  # fmt: skip


def _unclear(facts: Facts, answers: Answers) -> Iterator[Finding]:
    if not any(one.is_unclear for one in asking.registrations(facts, answers)):
        return
    said = next(known.text for known in answers.values() if known.is_unclear and known.text is not None)
    yield _finding(
        "IA-NETWORK-UNANSWERED", Severity.WARNING,
        f"Ikke alle registre kunne spørges, så det vides ikke, om kunden kan nås: {said.da}",
        f"Not all registers could be asked, so it is not known whether the customer can be reached: {said.en}",
        Turn.OPERATOR,
    )  # fmt: skip


def _suggested(facts: Facts, answers: Answers, found: Sequence[Route]) -> Iterator[Finding]:
    known = answers.get(asking.by_name(facts))
    if known is None or any(route.is_found for route in found):
        return
    alike = [one for one in known.found if one.name and names.similarity(facts.name, one.name) >= names.ALIKE]
    for one in alike[:_MOST_SUGGESTED]:
        yield _finding(
            SUGGESTED, Severity.INFO,
            f"Peppol Directory kender »{one.name}« med adressen {routes.shown(one.participant)}. Er det kunden, så vælg adressen.",
            f"The Peppol Directory knows “{one.name}” at the address {routes.shown(one.participant)}. If that is the customer, "
            "choose the address.", address=one.participant,
        )  # fmt: skip
