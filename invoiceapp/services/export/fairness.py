"""Whose turn it is: a company with much to do never keeps the others waiting.

A batch is shared out between all adaptors that have something to do, as evenly as
it goes. An adaptor reads one company's books, and where it alone has work the
batch is its own. With more adaptors than a batch has places, chance decides, anew
for each batch: no worker need know of the others, and nobody is forgotten.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")


def shared_out(adaptor_ids: Sequence[str], limit: int, take: Callable[[str, int], Sequence[T]]) -> list[T]:
    """At most ``limit`` of what ``take(adaptor_id, most)`` claims, from each adaptor the same as far as it has so much."""
    taken: list[T] = []
    waiting = random.sample(adaptor_ids, len(adaptor_ids))
    while waiting and len(taken) < limit:
        share = max((limit - len(taken)) // len(waiting), 1)
        have_more = []
        for adaptor_id in waiting:
            most = min(share, limit - len(taken))
            found = take(adaptor_id, most) if most else ()
            taken += found
            if len(found) == most:
                have_more.append(adaptor_id)
        waiting = have_more
    return taken
