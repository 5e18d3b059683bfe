from __future__ import annotations

from support.manual_export import note, run, work  # noqa: F401 - of a manual export
