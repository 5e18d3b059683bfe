"""Business responses as receivers write them: the four kinds of UBL ApplicationResponse, about an invoice of ours."""

from __future__ import annotations

from collections.abc import Sequence

OIOUBL = "OIOUBL-2.1"
INVOICE_RESPONSE = "urn:fdc:peppol.eu:poacc:trns:invoice_response:3"
MLR = "urn:fdc:peppol.eu:poacc:trns:mlr:3"
OIOUBL_3_MLR = f"{MLR}@urn:fdc:oioubl.dk:trns:message_level_response:3.0"
MLS = "urn:peppol:edec:mls:1.0"

#: Scheme, value: the receiver to whom ``ready`` of the service tests addresses its documents, and who sent them.
BUYER, SELLER = ("0088", "5798000000001"), ("0184", "12345674")
_NS = "urn:oasis:names:specification:ubl:schema:xsd"


def _leaf(name: str, text: str | None, **attributes: str) -> str:
    stated = "".join(f' {key}="{value}"' for key, value in attributes.items())
    return "" if text is None else f"<cbc:{name}{stated}>{text}</cbc:{name}>"


def _party(role: str, endpoint: tuple[str, str] | None, name: str | None) -> str:
    address = _leaf("EndpointID", endpoint[1], schemeID=endpoint[0]) if endpoint else ""
    entity = f"<cac:PartyLegalEntity>{_leaf('RegistrationName', name)}</cac:PartyLegalEntity>" if name else ""
    return f"<cac:{role}>{address}{entity}</cac:{role}>"


def status(
    code: str, text: str | None = None, *, action: bool = False, condition: tuple[str, str] | None = None
) -> str:
    """One status of an Invoice Response, MLR or MLS."""
    listed = "OPStatusAction" if action else "OPStatusReason"
    added = f"<cac:Condition>{_leaf('AttributeID', condition[0])}{_leaf('Description', condition[1])}</cac:Condition>" if condition else ""  # fmt: skip
    return (
        f"<cac:Status>{_leaf('StatusReasonCode', code, listID=listed)}{_leaf('StatusReason', text)}{added}</cac:Status>"
    )


def line(place: str, text: str, code: str | None = None) -> str:
    """A line response with an XPath or a line's number."""
    coded = status(code) if code else ""
    return (
        f"<cac:LineResponse><cac:LineReference>{_leaf('LineID', place)}</cac:LineReference>"
        f"<cac:Response>{_leaf('Description', text)}{coded}</cac:Response></cac:LineResponse>"
    )


def response(
    code: str | None = "BusinessAccept",
    *,
    kind: str = OIOUBL,
    reference: str = "1001",
    date: str | None = "2026-11-02",
    type_code: str | None = None,
    uuid: str | None = None,
    sender: tuple[str, str] | None = BUYER,
    sender_name: str | None = "Fjordby Kommune",
    texts: Sequence[str] = (),
    statuses: str = "",
    lines: str = "",
    id_: str = "R-1",
    time: str | None = None,
    repeat: int = 1,
) -> bytes:
    """An ApplicationResponse; ``repeat`` times its DocumentResponse."""
    answer = (
        f"<cac:DocumentResponse><cac:Response>{_leaf('ReferenceID', '1')}{_leaf('ResponseCode', code)}"
        f"{''.join(_leaf('Description', text) for text in texts)}{statuses}</cac:Response>"
        f"<cac:DocumentReference>{_leaf('ID', reference)}{_leaf('UUID', uuid)}{_leaf('IssueDate', date)}"
        f"{_leaf('DocumentTypeCode', type_code)}</cac:DocumentReference>{lines}</cac:DocumentResponse>"
    )
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<ApplicationResponse xmlns="{_NS}:ApplicationResponse-2" '
        f'xmlns:cac="{_NS}:CommonAggregateComponents-2" xmlns:cbc="{_NS}:CommonBasicComponents-2">'
        f"{_leaf('CustomizationID', kind)}{_leaf('ProfileID', 'any')}{_leaf('ID', id_)}"
        f"{_leaf('IssueDate', '2026-11-03')}{_leaf('IssueTime', time)}"
        f"{_party('SenderParty', sender, sender_name)}{_party('ReceiverParty', SELLER, 'Os ApS')}{answer * repeat}"
        "</ApplicationResponse>"
    ).encode()


def invoice_response(code: str, **more: object) -> bytes:
    """A Peppol Invoice Response (T111)."""
    return response(code, kind=INVOICE_RESPONSE, **more)  # type: ignore[arg-type]


def message_response(code: str, instance: str, *, kind: str = MLR, **more: object) -> bytes:
    """An MLR, or an MLS by its ``kind``, about a message."""
    return response(code, kind=kind, reference=instance, date=None, **more)  # type: ignore[arg-type]
