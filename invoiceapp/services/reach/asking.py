"""Which questions lead to a customer's routes: as few as possible, the next ones told from the answers so far. No database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from invoiceapp.discovery.base import Registered
from invoiceapp.domain.identifiers import Participant
from invoiceapp.domain.network import Network

from . import lookups
from .candidates import DANISH, Basis, Candidate, Facts, candidates
from .lookups import Known, Question

Answers = Mapping[Question, Known]
#: Names that are shorter find everybody.
_SHORTEST_NAME = 3


@dataclass(frozen=True, slots=True)
class Registration:
    """What the registers say of one address. ``registered`` is None where nobody lists it."""

    candidate: Candidate
    registered: Registered | None
    is_unclear: bool
    """Somebody could not be asked, so that a missing registration proves nothing"""


def questions(facts: Facts, answers: Answers) -> list[Question]:
    """What is still to be asked; empty once all is known. Ask, add the answers, and ask again: three rounds at most."""
    wanted = _of_register(facts, answers)
    if not _missing(wanted, answers):
        wanted += _of_networks(facts, answers)
    if not _missing(wanted, answers):
        wanted += _by_name(facts, answers)
    return _missing(wanted, answers)


def _missing(wanted: list[Question], answers: Answers) -> list[Question]:
    return [question for question in wanted if question not in answers]


def _of_register(facts: Facts, answers: Answers) -> list[Question]:
    """NemHandelsregisteret: the company says all its addresses at once; what it does not list may belong to another one."""
    company = [lookups.company(facts.cvr)] if facts.cvr else []
    if _missing(company, answers) or any(answers[question].is_unclear for question in company):
        # A register that keeps silent is not asked three times more: the networks are.
        return company
    return company + [
        lookups.receiver(one.participant)
        for one in candidates(facts)
        if one.participant.scheme in DANISH and not _is_answered_by_company(facts, one, answers)
    ]


def _is_answered_by_company(facts: Facts, candidate: Candidate, answers: Answers) -> bool:
    known = answers[lookups.company(facts.cvr)] if facts.cvr else None
    if known is None or known.is_unclear:
        return False
    # Its own numbers stand under it or nowhere; a GLN may be another company's.
    return candidate.basis is Basis.REGISTRATION or _listed(known, candidate.participant) is not None


def _of_networks(facts: Facts, answers: Answers) -> list[Question]:
    """The networks' own registrations (SMP), where NemHandelsregisteret leaves the question open."""
    found = _in_register(facts, answers)
    if any(one.registered is not None for one in found if one.candidate.participant.scheme in DANISH):
        # What it did not answer may be the address that counts, so that one is not left open.
        found = [one for one in found if one.is_unclear]
    wanted = []
    for one in found:
        if one.is_unclear:
            wanted.append(lookups.registration(Network.NEMHANDEL, one.candidate.participant))
        wanted.append(lookups.registration(Network.PEPPOL, one.candidate.participant))
    return wanted


def _by_name(facts: Facts, answers: Answers) -> list[Question]:
    """The Directory, only to suggest: where the books hold no number that a Danish register could have answered."""
    known = registrations(facts, answers)
    is_open = any(one.is_unclear or one.registered is not None for one in known)
    if is_open or facts.cvr or len(facts.name.strip()) < _SHORTEST_NAME:
        return []
    return [by_name(facts)]


def by_name(facts: Facts) -> Question:
    """The Directory's question about a customer."""
    return lookups.named(facts.name.strip(), facts.country or None)


def registrations(facts: Facts, answers: Answers) -> list[Registration]:
    """What is known of each candidate, in their order, whoever said it."""
    return [_with_networks(one, answers) for one in _in_register(facts, answers)]


def _in_register(facts: Facts, answers: Answers) -> list[Registration]:
    company = answers.get(lookups.company(facts.cvr)) if facts.cvr else None
    found = []
    for candidate in candidates(facts):
        listed = _listed(company, candidate.participant) if company else None
        own = answers.get(lookups.receiver(candidate.participant))
        listed = listed or (_listed(own, candidate.participant) if own else None)
        asked = [one for one in (company, own) if one is not None]
        is_unclear = listed is None and (any(one.is_unclear for one in asked) and not _is_no(own))
        found.append(Registration(candidate, listed, is_unclear))
    return found


def _is_no(known: Known | None) -> bool:
    return known is not None and not known.is_unclear and not known.is_registered


def _with_networks(one: Registration, answers: Answers) -> Registration:
    """With what the networks' own registrations add."""
    participant = one.candidate.participant
    asked = {network: answers.get(lookups.registration(network, participant)) for network in Network}
    if one.registered is not None or not any(asked.values()):
        return one
    said = [known for known in asked.values() if known is not None]
    listed = [found for known in said if (found := _listed(known, participant)) is not None]
    if listed:
        first = listed[0]
        offers = tuple(offer for found in listed for offer in found.offers)
        merged = Registered(first.participant, first.name, first.company, first.country, offers)
        return Registration(one.candidate, merged, any(known.is_unclear for known in said))
    # Where the register could not be asked, the networks' proven "no" of both answers for it.
    return Registration(one.candidate, None, any(known.is_unclear for known in said))


def _listed(known: Known, participant: Participant) -> Registered | None:
    wanted = str(participant).casefold()
    return next((one for one in known.found if str(one.participant).casefold() == wanted), None)


def company_addresses(facts: Facts, answers: Answers) -> list[Registered]:
    """What the register lists under the company and the books do not name."""
    known = answers.get(lookups.company(facts.cvr)) if facts.cvr else None
    own = {str(one.participant).casefold() for one in candidates(facts)}
    return [one for one in known.found if str(one.participant).casefold() not in own] if known else []


def company_name(facts: Facts, answers: Answers) -> str | None:
    """What the register calls the company."""
    known = answers.get(lookups.company(facts.cvr)) if facts.cvr else None
    return known.company_name if known else None
