"""The partners of ``chaos``, all well, one of which can be told to keep its answers: ``python -m tests.hosts.partners FOLDER``."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chaos.behaviour import Act, Mood
from chaos.ledger import Ledger
from chaos.partners import Books, serve_all

#: Recognises nothing and cannot be asked: what it may have is never sent again.
BLIND = "http-blind"


@dataclass
class Holding(Books):
    """While the file ``hold`` is there, the blind partner takes documents and says nothing."""

    folder: Path = Path()

    def come(self, partner: str, key: str, content: bytes, **options: Any) -> Act:
        act = super().come(partner, key, content, **options)
        while partner == BLIND and (self.folder / "hold").exists():
            time.sleep(0.02)
        return act


def main() -> None:
    folder = Path(sys.argv[1])
    well = folder / "well"
    well.touch()
    serve_all(Holding(Mood(1, well), Ledger(folder / "ledger.jsonl"), folder=folder), folder)


if __name__ == "__main__":
    main()
