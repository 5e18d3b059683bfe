"""Pages, one folder a screen: thin views that read, call one service and render."""

from __future__ import annotations

import importlib
import pkgutil

from flask import Flask


def init_app(app: Flask) -> None:
    """Register every screen: a folder here whose package exports ``blueprint``."""
    for info in pkgutil.iter_modules(__path__):
        if info.ispkg:
            app.register_blueprint(importlib.import_module(f"{__name__}.{info.name}").blueprint)
