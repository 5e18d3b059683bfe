"""How fast a source may be asked by all who ask for one company."""

from __future__ import annotations

from typing import Protocol


class Pace(Protocol):
    """Shared by everybody who asks for one company; used by many threads."""

    def reserve(self, most: float) -> float:
        """Take the next turn; the seconds until then, at most ``most``.

        More than ``most`` where the source itself asked all of us to wait that long: then no turn was taken.
        """

    def hold(self, seconds: float) -> None:
        """The source asks us to wait: nobody's next turn comes earlier."""


class _Unlimited:
    def reserve(self, most: float) -> float:
        return 0

    def hold(self, seconds: float) -> None:
        pass


UNLIMITED: Pace = _Unlimited()
