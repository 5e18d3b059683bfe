"""The first steps of every connection test: the name, and whether anything listens there."""

from __future__ import annotations

from collections.abc import Callable, Collection

from invoiceapp.domain.findings import Text
from invoiceapp.outbound.deadline import Deadline
from invoiceapp.outbound.errors import OutboundError
from invoiceapp.outbound.guard import Guard

from .failures import transport_error

Step = tuple[Text, Callable[[], Text]]


def network_steps(
    guard: Guard, host: str, port: int, deadline: Deadline, partner: Text, usual: Collection[int]
) -> tuple[Step, Step]:
    """Look the name up (DNS), and open a connection that is closed at once (TCP)."""

    def look_up() -> Text:
        try:
            found = guard.addresses(host, port, usual)
        except OutboundError as error:
            raise transport_error(error, partner) from error
        shown = ", ".join(found[:3])
        return Text(f"Fundet på adressen {shown}.", f"Found at the address {shown}.")

    def reach() -> Text:
        try:
            guard.connect(host, port, deadline, usual).close()
        except OutboundError as error:
            raise transport_error(error, partner) from error
        return Text(f"Der svares på port {port}.", f"Port {port} answers.")

    return (
        (Text("Find serveren (DNS)", "Find the server (DNS)"), look_up),
        (Text("Forbind (TCP)", "Connect (TCP)"), reach),
    )
