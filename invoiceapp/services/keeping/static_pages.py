"""Pages that open from disk: rendered from templates of their own, without the app, its address or its language."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined


class Pages:
    """The templates of some folders below ``templates``; the first that has a template of a name gives it."""

    def __init__(self, *folders: str) -> None:
        self._folders = folders

    @cached_property
    def _environment(self) -> Environment:
        loader = ChoiceLoader([PackageLoader("invoiceapp", f"templates/{folder}") for folder in self._folders])
        return Environment(
            loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
        )

    def render(self, template: str, /, **values: Any) -> bytes:
        """One page in UTF-8."""
        # Half of a surrogate pair has no bytes.
        return self._environment.get_template(template).render(**values).encode("utf-8", "replace")

    def source(self, name: str) -> bytes:
        """A file as it is, such as a style sheet."""
        source, _filename, _uptodate = self._environment.loader.get_source(self._environment, name)  # type: ignore[union-attr]
        return source.encode()
