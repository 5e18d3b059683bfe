"""eCourier's words: states, channels, schemes of participants."""

from __future__ import annotations

from collections.abc import Mapping

from invoiceapp.domain import identifiers
from invoiceapp.domain.identifiers import VAT_SCHEMES
from invoiceapp.domain.network import Network
from invoiceapp.gateways.providers import NOT_PASSED_ON, ON_ITS_WAY, PASSED_ON, Meaning

STATES: Mapping[str, Meaning] = {
    "pending": ON_ITS_WAY,
    "ready": ON_ITS_WAY,
    "delivered": PASSED_ON,
    "failed": NOT_PASSED_ON,
}
FAILED = "failed"
#: The type of a business response.
RESPONSE = "ApplicationResponse"
#: Types that leave no doubt; "Other" may be anything.
KINDS = frozenset({"Invoice", "CreditNote", RESPONSE})

CHANNELS = {Network.NEMHANDEL: "NemHandel", Network.PEPPOL: "Peppol"}

#: By EAS scheme. Those of VAT numbers in the range of 99 follow one pattern; of the others only these are known.
SCHEMES = {
    **{scheme: f"{country}:VAT" for country, scheme in VAT_SCHEMES.items() if scheme.startswith("99")},
    identifiers.CVR: "DK:CVR",
    identifiers.GLN: "GLN",
    identifiers.P_NUMBER: "DK:P",
    identifiers.SE: "DK:SE",
    identifiers.SWEDISH: "SE:ORGNR",
    identifiers.NORWEGIAN: "NO:ORG",
    "0106": "NL:KVK",
    "0190": "NL:OINO",
    "0191": "EE:CC",
    "0200": "LT:LEC",
    "0201": "IT:CUUO",
    "0204": "DE:LWID",
    "0208": "BE:EN",
    "0211": "IT:IVA",
    "0216": "FI:OVT2",
}
