"""All targets by name. Each file here is one kind of input."""

from __future__ import annotations

import sys
from itertools import chain

from ..engine import ROOT, Target

# The makers of keys, answers and messages that the tests use.
sys.path.insert(0, str(ROOT / "tests"))

from . import answers, archives, documents, keys, messages, registers

TARGETS: dict[str, Target] = {
    one.name: one
    for one in chain.from_iterable(part.TARGETS for part in (documents, messages, registers, answers, keys, archives))
}
