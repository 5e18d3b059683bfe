"""Access-point providers, each the stand-in of the demo."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import ClassVar

from invoiceapp.demo.partners.ecourier_api import ECourierApi
from invoiceapp.demo.partners.json_api import ApiAnswer
from invoiceapp.demo.partners.sproom_api import SproomApi

from .base import HOST, PASSWORD, Config, Receiver
from .web import be_strict


class ProviderReceiver(Receiver):
    """The token is ``PASSWORD``."""

    api_type: ClassVar[type[SproomApi | ECourierApi]]

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.api = self.api_type()
        self.api.token, self.api.on_taken = PASSWORD, self.took
        be_strict(self.api.server)
        self.port = self.api.port

    def took(self, key: str, content: bytes) -> None:
        self.note(key, content)

    def config(self, port: int | None = None) -> Config:
        url = self.api.base_url.replace(f":{self.port}", f":{port or self.port}")
        return {"base_url": url, "token": PASSWORD, "answer_hours": 48, "connections": 20}

    def wrong_login(self, config: Config) -> Config:
        return config | {"token": "wrong"}

    def elsewhere(self, config: Config, port: int) -> Config:
        return config | {"base_url": f"https://{HOST}:{port}/api"}

    def fill_up(self) -> None:
        self.api.instead = ApiAnswer(507, {"message": "no room"})

    def say_no(self, name: str) -> None:
        self.api.invalid = ["not like that"]

    def close(self) -> None:
        self.api.close()


class SproomReceiver(ProviderReceiver):
    kind = "sproom"
    wire_id = "request_id"
    api_type = SproomApi

    def config(self, port: int | None = None) -> Config:
        return super().config(port) | {"system": "live"}


class ECourierReceiver(ProviderReceiver):
    """It knows no id of ours, so a document is known by its bytes."""

    kind = "ecourier"
    wire_id = "sha256"
    api_type = ECourierApi

    def took(self, key: str, content: bytes) -> None:
        self.note(hashlib.sha256(content).hexdigest(), content)
