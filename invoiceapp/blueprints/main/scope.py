"""What the dashboard is about: one adaptor, or all of the subscription."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flask import request

from invoiceapp.blueprints.tenancy import ALL, chosen_adaptor
from invoiceapp.models import Adaptor
from invoiceapp.services.people import access


@dataclass(frozen=True, slots=True)
class Scope:
    """At least one adaptor, all of them the reader's."""

    adaptors: Sequence[Adaptor]
    others: Sequence[Adaptor]
    """What can be chosen from, where there are several"""

    @property
    def ids(self) -> list[str]:
        """For the services."""
        return [adaptor.id for adaptor in self.adaptors]

    @property
    def one(self) -> Adaptor | None:
        """The adaptor, where it is about one."""
        return self.adaptors[0] if len(self.adaptors) == 1 else None

    @property
    def argument(self) -> str:
        """For ``adaptor=`` of addresses; empty where the address needs none."""
        if self.one is None:
            return ALL
        return self.one.id if len(self.others) > 1 or request.args.get("adaptor") == self.one.id else ""

    @property
    def companies(self) -> dict[str, str]:
        """Who sends the documents, by the adaptor's id."""
        return {adaptor.id: company(adaptor) for adaptor in self.adaptors}


def company(adaptor: Adaptor) -> str:
    """The company behind an adaptor; the adaptor's own name before it is connected."""
    return str((adaptor.organization or {}).get("name") or adaptor.name)


def is_all() -> bool:
    """Whether the address asks for all adaptors."""
    return request.args.get("adaptor") == ALL


def read() -> Scope | None:
    """Out of the address; None where there is no adaptor yet. Raises ``NotYours``."""
    others = access.adaptors()
    if is_all() and others:
        return Scope(others, others)
    adaptor = chosen_adaptor()
    return Scope([adaptor], others if adaptor in others else [*others, adaptor]) if adaptor else None
