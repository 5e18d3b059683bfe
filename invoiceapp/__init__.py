"""Reads approved invoices, turns each into the e-invoice its receiver can take, delivers it once, and proves it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

    from .config import Config


def create_app(config: Config | None = None, *, pages: bool = True, process: str = "web") -> Flask:
    """The app; see ``factory.py``, imported here so that rooms of the package load without Flask."""
    from .factory import create_app as create

    return create(config, pages=pages, process=process)
