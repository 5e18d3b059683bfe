"""Saxon, the engine of the official rules, set up in one place."""

from __future__ import annotations

from typing import Any


def new_saxon(*, may_read_files: bool = False) -> Any:
    """A processor. Unless it may, its sheets read nothing: no file, no address, no further sheet.

    It does not keep a sheet from writing by ``xsl:result-document``; ``releases`` refuses those.
    """
    from saxonche import PySaxonProcessor  # 46 MB: only processes that validate pay for it

    saxon = PySaxonProcessor(license=False)
    if not may_read_files:
        # An empty value would mean the default, which is everything.
        saxon.set_configuration_property("http://saxon.sf.net/feature/allowedProtocols", "none")
    return saxon
