"""The Peppol transport."""

from __future__ import annotations

from invoiceapp.domain.findings import Text
from invoiceapp.domain.network import Network
from invoiceapp.gateways.as4.fields import access_point_fields
from invoiceapp.gateways.as4.sending import AccessPoint


class PeppolTransport(AccessPoint):
    """Peppol's AS4 profile as it stands."""

    kind = "peppol"
    label = Text("Peppol (AS4)", "Peppol (AS4)")
    description = Text(
        "Sender direkte på Peppol med jeres eget certifikat. Kun for medlemmer af OpenPeppol; alle andre bruger en udbyder.",
        "Sends straight on Peppol with a certificate of your own. Only for members of OpenPeppol; everybody else uses a provider.",
    )
    network = Network.PEPPOL
    networks = frozenset({Network.PEPPOL})
    accepts = frozenset({"peppol-bis-3"})
    fields = access_point_fields(Network.PEPPOL)
