"""Where the registers listen."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Ports:
    """Wanted ones; 0, and one that is taken, is replaced by a free one."""

    sml: int = 0
    peppol_smp: int = 0
    nemhandel_smp: int = 0
    register: int = 0
    directory: int = 0


#: Any that are free.
FREE = Ports()
