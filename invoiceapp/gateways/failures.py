"""Failures of the network below a transport, as the contract's errors, in words that all kinds share."""

from __future__ import annotations

from invoiceapp.domain.findings import Text
from invoiceapp.outbound.errors import OutboundError, Reason, Sent

from .base import Refused, TransportError, Unavailable, Unknown


def transport_error(error: OutboundError, partner: Text) -> TransportError:
    """What a failed conversation means. ``partner`` names who did not answer, with a capital: "Modtagerens server"."""
    # An encryption that breaks after all was sent says nothing of the settings. (Of our certificate TLS 1.3 tells only
    # then, and before the server reads anything: RFC 8446 4.4.2.4.)
    broke = error.reason is Reason.TLS and error.sent is Sent.ALL
    if error.reason in _SETTINGS and not broke:
        return Refused(_SETTINGS[error.reason], str(error))
    if error.sent is Sent.ALL:
        return Unknown(_lost_answer(partner), str(error))
    return Unavailable(_UNANSWERED.get(error.reason, _cut)(partner), str(error))


def _lost_answer(partner: Text) -> Text:
    return Text(
        f"{partner.da} svarede ikke, efter at hele dokumentet var sendt. Det kan være modtaget. "
        "Spørg modtageren, før du sender igen.",
        f"{partner.en} did not answer after the whole document was sent. It may have been received. "
        "Ask the receiver before you send again.",
    )


def _name_unknown(partner: Text) -> Text:
    return Text(
        f"{partner.da} kan ikke findes: navnet er ukendt. Intet er sendt. Kontrollér navnet i gatewayens indstillinger; "
        "vi prøver igen af os selv.",
        f"{partner.en} cannot be found: the name is unknown. Nothing was sent. Check the name in the settings of the gateway; "
        "we try again by ourselves.",
    )


def _name_unanswered(partner: Text) -> Text:
    return Text(
        f"Der kan ikke slås op, hvor {_lower(partner.da)} er: navneserveren svarer ikke. Intet er sendt; vi prøver igen af os selv. "
        "Bliver det ved, så giv besked til den, der driver serveren.",
        f"Where {_lower(partner.en)} is cannot be looked up: the name server does not answer. Nothing was sent; we try again by "
        "ourselves. If it goes on, tell whoever runs the server.",
    )


def _closed(partner: Text) -> Text:
    return Text(
        f"{partner.da} tager ikke imod på den port. Intet er sendt; vi prøver igen af os selv. "
        "Bliver det ved, så kontrollér porten, eller spørg modtageren.",
        f"{partner.en} takes nothing on that port. Nothing was sent; we try again by ourselves. "
        "If it goes on, check the port, or ask the receiver.",
    )


def _silent(partner: Text) -> Text:
    return Text(
        f"{partner.da} svarer ikke. Intet er sendt; vi prøver igen af os selv. "
        "Bliver det ved, så kontrollér navn og port, eller spørg modtageren.",
        f"{partner.en} does not answer. Nothing was sent; we try again by ourselves. "
        "If it goes on, check name and port, or ask the receiver.",
    )


def _cut(partner: Text) -> Text:
    return Text(
        f"Forbindelsen til {_lower(partner.da)} brød. Intet er leveret; vi prøver igen af os selv. "
        "Bliver det ved, så kontrollér servernavn og port, eller spørg modtageren.",
        f"The connection to {_lower(partner.en)} broke. Nothing was delivered; we try again by ourselves. "
        "If it goes on, check server name and port, or ask the receiver.",
    )


def _lower(name: str) -> str:
    """A name in the middle of a sentence; "Dropbox" keeps its capital."""
    first = name.split(" ", 1)[0]
    return name if first in _PROPER else name[:1].lower() + name[1:]


_PROPER = frozenset({"Dropbox"})

_UNANSWERED = {
    Reason.NAME_UNKNOWN: _name_unknown,
    Reason.NAME_UNANSWERED: _name_unanswered,
    Reason.CLOSED: _closed,
    Reason.UNREACHABLE: _silent,
    Reason.TIMEOUT: _silent,
}

#: What somebody must change here before anything can be sent.
_SETTINGS = {
    Reason.BLOCKED_ADDRESS: Text(
        "Serverens adresse ligger i et lukket netværk (f.eks. jeres eget), så der er ikke sendt noget. Er det meningen, skal den, "
        "der driver serveren, tillade netværket med OUTBOUND_NETWORKS; ellers ret adressen.",
        "The server's address lies in a closed network (such as your own), so nothing was sent. If that is intended, whoever runs "
        "the server must allow the network by OUTBOUND_NETWORKS; else correct the address.",
    ),
    Reason.BLOCKED_PORT: Text(
        "Porten hører til en anden slags tjeneste, så der er ikke sendt noget. Ret porten; er den rigtig, skal den, der driver "
        "serveren, tillade den med OUTBOUND_PORTS.",
        "The port belongs to another kind of service, so nothing was sent. Correct the port; if it is right, whoever runs the "
        "server must allow it by OUTBOUND_PORTS.",
    ),
    Reason.CERTIFICATE: Text(
        "Serverens certifikat kan ikke godkendes, så intet er sendt. Kontrollér servernavnet, bed modtageren om at forny "
        "certifikatet, eller indsæt modtagerens eget rodcertifikat i gatewayens indstillinger.",
        "The server's certificate cannot be verified, so nothing was sent. Check the server name, ask the receiver to renew the "
        "certificate, or paste the receiver's own root certificate into the settings of the gateway.",
    ),
    Reason.OUR_CERTIFICATE: Text(
        "Serveren vil have et certifikat af os eller godkender ikke det, vi viste. Intet er sendt. Ret certifikatet i gatewayens "
        "indstillinger, eller send modtageren det rigtige.",
        "The server wants a certificate of ours, or does not accept the one that we showed. Nothing was sent. Correct the "
        "certificate in the settings of the gateway, or give the receiver the right one.",
    ),
    Reason.TLS: Text(
        "Serveren og vi har ingen kryptering til fælles, så intet er sendt. Kontrollér port og kryptering, eller bed modtageren om "
        "at tilbyde TLS 1.2 eller nyere.",
        "The server and we have no encryption in common, so nothing was sent. Check port and encryption, or ask the receiver to "
        "offer TLS 1.2 or later.",
    ),
}
