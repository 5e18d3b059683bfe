"""Help pages that lie in the folder of a source or transport: ``help.da.md`` and ``help.en.md``."""

from __future__ import annotations

from importlib import import_module, resources


def help_text(module: str, language: str) -> str:
    """The text in a language, Danish unless English is asked for; "" where the folder has none.

    ``module`` is the package, or a module inside it.
    """
    package = import_module(module).__package__ or module
    page = resources.files(package) / f"help.{'en' if language == 'en' else 'da'}.md"
    return page.read_text(encoding="utf-8") if page.is_file() else ""
