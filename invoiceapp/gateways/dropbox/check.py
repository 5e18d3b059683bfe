"""The connection test of a Dropbox gateway, step by step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from invoiceapp.domain.findings import Text
from invoiceapp.gateways.base import CheckStep, Deadline, run_steps
from invoiceapp.gateways.failures import transport_error
from invoiceapp.gateways.steps import network_steps
from invoiceapp.outbound import tls
from invoiceapp.outbound.errors import OutboundError, failure
from invoiceapp.outbound.guard import Guard

from .api import Api
from .failures import PARTNER, not_a_folder
from .paths import fixed_folder

USUAL_PORTS = (80, 443)


class ConnectionTest:
    """Steps that build on one another; each returns what it found or raises a ``TransportError``."""

    def __init__(self, config: Mapping[str, Any], guard: Guard, api: Api, deadline: Deadline) -> None:
        self._config = config
        self._guard = guard
        self._api = api
        self._deadline = deadline

    def run(self) -> list[CheckStep]:
        """All steps up to the first that fails."""
        host, port = _place(self._api.url)
        return run_steps(
            (
                *network_steps(self._guard, host, port, self._deadline, PARTNER, USUAL_PORTS),
                (Text("Kryptering (TLS)", "Encryption (TLS)"), self._encryption(self._api.url)),
                (Text("Serveren til filer", "The server for files"), self._encryption(self._api.content_url)),
                (Text("Log ind", "Log in"), self._log_in),
                (Text("Mappen", "The folder"), self._look_at_folder),
            )
        )

    def _encryption(self, url: str) -> Callable[[], Text]:
        host, port = _place(url)

        def encrypt() -> Text:
            try:
                connection = self._guard.connect(host, port, self._deadline, USUAL_PORTS)
                with connection:
                    if urlsplit(url).scheme == "http":
                        return Text(f"{host}: ingen; den er på denne maskine.", f"{host}: none; it is on this machine.")
                    connection.settimeout(self._deadline.step())
                    with tls.client_context().wrap_socket(connection, server_hostname=host) as encrypted:
                        version = encrypted.version() or "TLS"
            except (OSError, OutboundError) as error:
                raise transport_error(failure(error), PARTNER) from error
            return Text(
                f"{host}: {version}, certifikatet er i orden.", f"{host}: {version}, the certificate is in order."
            )

        return encrypt

    def _log_in(self) -> Text:
        account = self._api.account(self._deadline)
        return Text(f"Forbundet med {account}.", f"Connected with {account}.")

    def _look_at_folder(self) -> Text:
        path = fixed_folder(self._config)
        if path == "/":
            return Text(
                f"Filerne lægges fra øverste mappe og ned. {_NOT_TRIED.da}",
                f"Files go below the top folder. {_NOT_TRIED.en}",
            )
        found = self._api.metadata(path, self._deadline)
        if found is None:
            return Text(
                f"»{path}« findes ikke endnu; den laves, når den første fil lægges. {_NOT_TRIED.da}",
                f"“{path}” does not exist yet; it is made with the first file. {_NOT_TRIED.en}",
            )
        if found.content_hash is not None:
            raise not_a_folder(path)
        return Text(f"»{path}« findes. {_NOT_TRIED.da}", f"“{path}” exists. {_NOT_TRIED.en}")


def _place(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


#: Of the four calls that the app may make, none deletes: a file of a test would stay.
_NOT_TRIED = Text(
    "Testen lægger ingen fil, for appen har ikke lov til at slette den igen. Send en prøve for at se en fil lande.",
    "The test puts no file there, as the app may not delete it again. Send a sample to see a file land.",
)
