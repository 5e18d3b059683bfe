"""The connection test of an FTP gateway, step by step."""

from __future__ import annotations

import ftplib  # nosec B402 # what the receiver has; without encryption only where the user says so
import secrets
from collections.abc import Mapping
from typing import Any

from invoiceapp.domain.findings import Text
from invoiceapp.gateways.base import CheckStep, Deadline, run_steps
from invoiceapp.gateways.steps import network_steps
from invoiceapp.outbound.guard import Guard

from .client import Client
from .failures import PARTNER, Stage, during, rename_refused
from .fields import NONE, PORTS, folder_of, host_of, port_of, security_of
from .session import Session, certificate_ends, enter, greet, log_in


class ConnectionTest:
    """Steps that build on one another; each returns what it found or raises a ``TransportError``."""

    def __init__(self, config: Mapping[str, Any], guard: Guard, deadline: Deadline) -> None:
        self._config, self._guard, self._deadline = config, guard, deadline
        self._folder = folder_of(config)
        self._client: Client | None = None
        self._session: Session
        self.certificate_ends: str | None = None
        """Of the certificate that the server showed, ISO 8601"""

    def run(self) -> list[CheckStep]:
        """All steps up to the first that fails; closes the connection."""
        host, port = host_of(self._config), port_of(self._config)
        try:
            return run_steps(
                (
                    *network_steps(self._guard, host, port, self._deadline, PARTNER, PORTS),
                    (self._greeting, self._greet),
                    (Text("Log ind", "Log in"), self._log_in),
                    (Text("Mappen", "The folder"), self._enter),
                    (Text("Skriv, omdøb og slet en prøvefil", "Write, rename and delete a test file"), self._write),
                )
            )
        finally:
            if self._client is not None:
                self._client.close()

    @property
    def _greeting(self) -> Text:
        if security_of(self._config) == NONE:
            return Text("Serveren svarer", "The server answers")
        return Text("Krypter (TLS)", "Encrypt (TLS)")

    def _greet(self) -> Text:
        self._client = greet(self._config, self._guard, self._deadline)
        self.certificate_ends = ends = certificate_ends(self._client)
        if ends is None:
            return Text(
                "Der krypteres ikke: adgangskode og fakturaer kan læses undervejs.",
                "Nothing is encrypted: password and invoices can be read on the way.",
            )
        day = ends[:10]
        return Text(
            f"Serverens certifikat er godkendt; det udløber {day}.",
            f"The server's certificate is verified; it ends {day}.",
        )

    def _log_in(self) -> Text:
        assert self._client is not None
        log_in(self._client, self._config)
        return Text("Brugeren er godkendt.", "The user is accepted.")

    def _enter(self) -> Text:
        assert self._client is not None
        self._session = enter(self._client, self._config)
        return Text(f"»{self._folder}« findes.", f"“{self._folder}” exists.")

    def _write(self) -> Text:
        # Neither a document's name nor that of a part file, so that no receiver takes it for an invoice.
        name = f".connection-test-{secrets.token_hex(4)}"
        _, proof = self._session.write(name, b"connection test")
        with during(Stage.RENAME, self._folder):
            name = self._renamed(name)
            try:
                self._session.remove(name)
            except ftplib.error_perm:
                return Text(
                    f"Filen blev skrevet, men må ikke slettes. Det er i orden; bed modtageren om at fjerne »{name}«.",
                    f"The file was written but may not be deleted. That is fine; ask the receiver to remove “{name}”.",
                )
        if not proof:
            return Text(
                "Det gik. Serveren viser ikke filernes størrelse, så vi kan ikke efterprøve, at en faktura ligger der hel.",
                "It worked. The server shows no sizes of files, so we cannot verify that an invoice lies there whole.",
            )
        return Text("Filen blev skrevet, omdøbt og slettet igen.", "The file was written, renamed and deleted again.")

    def _renamed(self, name: str) -> str:
        try:
            self._session.prepare_rename(name)
            self._session.ask_rename(f"{name}-2")
            self._session.renamed()
        except (ftplib.error_perm, ftplib.error_temp) as no:
            self._session.discard(name)
            raise rename_refused(str(no)) from None
        return f"{name}-2"
