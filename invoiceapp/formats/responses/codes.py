"""Codes of the four kinds, and their words.

OIOUBL: responsecode-1.1. Peppol: the UNCL4343 subset of T111 and T71, OPStatusReason, OPStatusAction, and the issue
codes of MLR and MLS.
"""

from __future__ import annotations

from collections.abc import Mapping

from invoiceapp.domain.findings import Text

from .values import By, Kind, Says

Meaning = tuple[Says, By]

_MESSAGE_LEVEL: Mapping[str, Meaning] = {
    "AB": (Says.RECEIVED, By.NETWORK),
    "AP": (Says.RECEIVED, By.NETWORK),
    "RE": (Says.NOT_DELIVERED, By.NETWORK),
}

MEANINGS: Mapping[Kind, Mapping[str, Meaning]] = {
    Kind.OIOUBL: {
        "TechnicalAccept": (Says.RECEIVED, By.RECEIVER_SYSTEM),
        "TechnicalReject": (Says.NOT_DELIVERED, By.RECEIVER_SYSTEM),
        # In the list, and forbidden in the document (F-APR018).
        "ProfileAccept": (Says.RECEIVED, By.RECEIVER_SYSTEM),
        "ProfileReject": (Says.WRONG_PROFILE, By.RECEIVER_SYSTEM),
        "BusinessAccept": (Says.ACCEPTED, By.BUYER),
        "BusinessReject": (Says.REJECTED, By.BUYER),
    },
    Kind.INVOICE_RESPONSE: {
        "AB": (Says.RECEIVED, By.RECEIVER_SYSTEM),
        "IP": (Says.IN_PROCESS, By.BUYER),
        "UQ": (Says.UNDER_QUERY, By.BUYER),
        "CA": (Says.CONDITIONAL, By.BUYER),
        "RE": (Says.REJECTED, By.BUYER),
        "AP": (Says.ACCEPTED, By.BUYER),
        "PD": (Says.PAID, By.BUYER),
    },
    Kind.MLR: _MESSAGE_LEVEL,
    # The provider has passed it on where nobody confirms anything (MLS 1.1.0).
    Kind.MLS: {**_MESSAGE_LEVEL, "AB": (Says.PASSED_ON, By.NETWORK)},
}

#: OPStatusReason; NON ("no issue") says nothing.
REASONS: Mapping[str, Text] = {
    "REF": Text("Referencer mangler eller er forkerte", "References are missing or wrong"),
    "LEG": Text("Oplysninger, som loven kræver, mangler eller er forkerte", "Details that the law demands are missing or wrong"),
    "REC": Text("Køber kender ikke modtageren", "The buyer does not know the receiver"),
    "QUA": Text("Varens kvalitet", "The quality of the goods"),
    "DEL": Text("Leveringen", "The delivery"),
    "PRI": Text("Priserne", "The prices"),
    "QTY": Text("Antallet", "The quantity"),
    "ITM": Text("Varerne", "The items"),
    "PAY": Text("Betalingsbetingelserne", "The payment terms"),
    "UNR": Text("Køber kender ikke handlen", "The buyer does not recognise the trade"),
    "FIN": Text("Betalingsoplysninger eller finansielle vilkår er forkerte", "Payment details or financial terms are wrong"),
    "PPD": Text("Delvist betalt", "Partly paid"),
    "OTH": Text("Andet", "Other"),
}  # fmt: skip
#: OPStatusAction; NOA ("no action") asks nothing.
ACTIONS: Mapping[str, Text] = {
    "PIN": Text("Send de oplysninger, der mangler", "Provide the missing information"),
    "NIN": Text("Send en ny faktura", "Issue a new invoice"),
    "CNF": Text("Krediter hele fakturaen", "Credit the whole invoice"),
    "CNP": Text("Krediter en del af fakturaen", "Credit a part of the invoice"),
    "CNA": Text("Krediter beløbet", "Credit the amount"),
    "OTH": Text("Andet", "Other"),
}
#: Codes of both lists that say nothing.
EMPTY = frozenset({"NON", "NOA"})
PARTLY_PAID = "PPD"
#: Issues of MLR and MLS.
ISSUES: Mapping[str, Text] = {
    "BV": Text("Brud på en regel", "A rule is broken"),
    "BW": Text("Advarsel", "Warning"),
    "SV": Text("Fejl i filens opbygning", "An error in the structure of the file"),
    "FD": Text("Kunne ikke afleveres", "Could not be handed over"),
}
