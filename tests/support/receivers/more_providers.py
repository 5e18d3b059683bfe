"""Providers on Peppol, and one that is described by settings: each the stand-in of the demo."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import ClassVar

from invoiceapp.demo.partners.accesspoint_api import AccessPointApi
from invoiceapp.demo.partners.json_api import ApiAnswer
from invoiceapp.demo.partners.recommand_api import DEMO_COMPANY, DEMO_KEY, RecommandApi
from invoiceapp.demo.partners.storecove_api import DEMO_LEGAL_ENTITY, StorecoveApi

from .base import HOST, PASSWORD, Config, Receiver
from .web import be_strict

_NO = ApiAnswer(422, {"message": "not like that"})


class _JsonReceiver(Receiver):
    api_type: ClassVar[type[AccessPointApi | RecommandApi | StorecoveApi]]
    settings: ClassVar[Config] = {"token": PASSWORD}
    wrong: ClassVar[Config] = {"token": "wrong"}

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.api = self.api_type()
        self.api.on_taken = self.took
        self.let_in()
        be_strict(self.api.server)
        self.port = self.api.port

    def let_in(self) -> None:
        """``PASSWORD`` is the key."""
        assert not isinstance(self.api, RecommandApi)
        self.api.token = PASSWORD

    def took(self, key: str, content: bytes) -> None:
        self.note(key, content)

    def config(self, port: int | None = None) -> Config:
        url = getattr(self.api, "base_url", self.api.url).replace(f":{self.port}", f":{port or self.port}")
        return {"base_url": url, "connections": 20, **self.settings}

    def wrong_login(self, config: Config) -> Config:
        return config | self.wrong

    def elsewhere(self, config: Config, port: int) -> Config:
        return config | {"base_url": f"https://{HOST}:{port}/api"}

    def fill_up(self) -> None:
        self.api.instead = ApiAnswer(507, {"message": "no room"})

    def say_no(self, name: str) -> None:
        self.api.instead = _NO

    def close(self) -> None:
        self.api.close()


class StorecoveReceiver(_JsonReceiver):
    kind = "storecove"
    wire_id = "idempotency_guid"
    api_type = StorecoveApi
    settings: ClassVar[Config] = {"token": PASSWORD, "legal_entity": str(DEMO_LEGAL_ENTITY)}


class RecommandReceiver(_JsonReceiver):
    """It knows no id of ours, so a document is known by its bytes."""

    kind = "recommand"
    wire_id = "document_sha256"
    api_type = RecommandApi
    settings: ClassVar[Config] = {"company": DEMO_COMPANY, "api_key": DEMO_KEY, "api_secret": PASSWORD}
    wrong: ClassVar[Config] = {"api_secret": "wrong"}

    def let_in(self) -> None:
        assert isinstance(self.api, RecommandApi)
        self.api.secret = PASSWORD

    def took(self, key: str, content: bytes) -> None:
        self.note(hashlib.sha256(content).hexdigest(), content)


class AccessPointReceiver(_JsonReceiver):
    kind = "accesspoint"
    wire_id = "idempotency_key"
    api_type = AccessPointApi
    settings: ClassVar[Config] = {
        "token": PASSWORD, "auth": "bearer", "reach": "both", "submit_path": "documents", "repeats": "conflict", "id_path": "data.id",
        "state_path": "data.state", "status_path": "documents/{id}/status",
    }  # fmt: skip
