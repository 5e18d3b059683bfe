"""Why a document stays although its customer is to get it by the networks, and what to do about it."""

from __future__ import annotations

from invoiceapp.domain.findings import Finding, Turn, fatal
from invoiceapp.domain.identifiers import Participant
from invoiceapp.domain.invoice import DocumentType

from .routes import Route, shown

_FIX = "customer.match"


class NoRoute(Exception):
    """The network knows no way to the customer; ``finding`` says why, and what to do."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.text.en)
        self.finding = finding


def _finding(rule: str, da: str, en: str, turn: Turn = Turn.HERE, fix: str = _FIX) -> Finding:
    return fatal(rule, da, en, turn=turn, term="BT-49", fix=fix)


def not_found(name: str) -> Finding:
    """Nobody is registered under what the books say."""
    return _finding(
        "IA-NETWORK-NOT-FOUND",
        f"{name} er ikke registreret som modtager af e-fakturaer under de numre, som regnskabet har. Spørg kunden om GLN- eller "
        "CVR-nummeret, eller vælg en anden gateway til kunden, f.eks. e-mail.",
        f"{name} is not registered as a receiver of e-invoices under the numbers in the books. Ask the customer for its GLN or "
        "CVR number, or choose another gateway for the customer, such as e-mail.",
    )


def vanished(participant: Participant) -> Finding:
    """The address that a person chose is registered no more."""
    address = shown(participant)
    return _finding(
        "IA-NETWORK-VANISHED",
        f"Kundens adresse {address} er ikke længere registreret til at modtage e-fakturaer. Spørg kunden, og vælg den nye vej "
        "under »Matchede kunder«.",
        f"The customer's address {address} is no longer registered to receive e-invoices. Ask the customer, and choose the new "
        "way under “Matched customers”.",
    )


def unregistered(participant: Participant) -> Finding:
    """The address that the user has set for the customer is registered nowhere."""
    address = shown(participant)
    return _finding(
        "IA-NETWORK-ADDRESS",
        f"Adressen {address}, som er valgt i kundens indstillinger, er ikke registreret til at modtage e-fakturaer. Ret den, eller "
        "ryd feltet, så bruges kundens nummer i regnskabet.",
        f"The address {address}, chosen in the customer's settings, is not registered to receive e-invoices. Correct it, or clear "
        "the field: then the customer's number in the books is used.",
        fix="customer.endpoint",
    )


def several() -> Finding:
    """More than one address fits."""
    return _finding(
        "IA-NETWORK-SEVERAL",
        "Kunden har flere adresser under samme CVR-nummer, og der er ikke valgt en. Vælg den under »Matchede kunder«.",
        "The customer has several addresses under one CVR number, and none is chosen. Choose it under “Matched customers”.",
    )


def unconfirmed(route: Route) -> Finding:
    """Somebody is registered, but not under the address that the books name."""
    address = shown(route.participant) if route.participant else ""
    return _finding(
        "IA-NETWORK-UNCONFIRMED",
        f"Adressen i regnskabet er ikke registreret, men {address} er. Bekræft under »Matchede kunder«, at den er kundens.",
        f"The address in the books is not registered, but {address} is. Confirm under “Matched customers” that it is the "
        "customer's.",
    )


def no_gateway(route: Route) -> Finding:
    """No gateway reaches the network."""
    network = route.network.label if route.network else ""
    return _finding(
        "IA-NETWORK-NO-GATEWAY",
        f"Kunden kan modtage i {network}, men ingen af jeres gateways når dertil. Opret en hos en udbyder under Gateways.",
        f"The customer can receive by {network}, but none of your gateways reaches it. Make one with a provider under Gateways.",
        fix="gateways",
    )


def takes_not(route: Route, document_type: DocumentType) -> Finding:
    """The receiver is registered, but not for this kind of document."""
    is_credit = document_type is DocumentType.CREDIT_NOTE
    network = route.network.label if route.network else ""
    return _finding(
        "IA-NETWORK-DOCUMENT-TYPE",
        f"Kunden er i {network} ikke registreret til at modtage {'kreditnotaer' if is_credit else 'fakturaer'}. Send den på anden "
        "måde, eller bed kunden om at blive registreret til det.",
        f"By {network} the customer is not registered to receive {'credit notes' if is_credit else 'invoices'}. Send it another "
        "way, or ask the customer to be registered for it.",
        Turn.RECEIVER,
    )
