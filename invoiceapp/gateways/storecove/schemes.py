"""Storecove's names for the schemes of electronic addresses (EAS): as in Peppol's code list of participant schemes."""

from __future__ import annotations

from invoiceapp.domain.identifiers import (
    CVR,
    GLN,
    NORWEGIAN,
    SE,
    SWEDISH,
    VAT_SCHEMES,
    Participant,
)

_NAMES = {
    GLN: "GLN",
    CVR: "DK:DIGST",
    SE: "DK:ERST",
    SWEDISH: "SE:ORGNR",
    NORWEGIAN: "NO:ORG",
    "0002": "FR:SIRENE",
    "0009": "FR:SIRET",
    "0060": "DUNS",
    "0106": "NL:KVK",
    "0190": "NL:OINO",
    "0191": "EE:CC",
    "0196": "IS:KTNR",
    "0200": "LT:LEC",
    "0201": "IT:CUUO",
    "0204": "DE:LWID",
    "0208": "BE:EN",
    "0216": "FI:OVT",
    **{scheme: f"{country}:VAT" for country, scheme in VAT_SCHEMES.items()},
    VAT_SCHEMES["IT"]: "IT:IVA",
}


def spoken(participant: Participant) -> tuple[str, str] | None:
    """Scheme and identifier as Storecove wants them; None for a scheme that it has no name for."""
    name = _NAMES.get(participant.scheme)
    if name is None:
        return None
    # On Peppol a CVR number is 8 digits; Storecove's form of it begins with DK.
    return name, f"DK{participant.value}" if participant.scheme == CVR else participant.value
