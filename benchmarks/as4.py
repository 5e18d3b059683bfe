"""AS4 without the network, in one process: ``python -m benchmarks.as4``.

A message is the invoice in its envelope, compressed, signed and encrypted; a receipt is checked whole: signature, signer,
and every digest against what was signed. Keys of 2 048 bits, as Peppol's.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from invoiceapp.domain.identifiers import CVR, GLN, Participant
from invoiceapp.domain.network import SERVICES, Identifier, Network
from invoiceapp.gateways.as4 import exchange, receiving, sbdh
from invoiceapp.gateways.as4.exchange import Sealed
from invoiceapp.gateways.as4.keys import load_identity
from invoiceapp.gateways.as4.wss import Identity, common_name

from . import gateways, partners, results
from .measure import Rate, rates

#: A second on one core, by the name.
GOALS = {"build, sign and encrypt": 60, "check the receipt": 200}


def _header() -> sbdh.Header:
    service = next(one for one in SERVICES if one.network is Network.PEPPOL)
    return sbdh.Header(
        Participant(CVR, "12345674"), Participant(GLN, "5798000000001"), "0f5e3a34-9b0c-4f5b-8c37-8d8f0f6ef001",
        service.document_id, Identifier("cenbii-procid-ubl", service.processes[0]), datetime.now(UTC), country_c1="DK",
    )  # fmt: skip


def _build(header: sbdh.Header, content: bytes, ours: Identity, theirs: Identity) -> Sealed:
    parties = common_name(ours.certificate), common_name(theirs.certificate)
    message = exchange.user_message(header, "key@as4.invoiceapp", "conversation", *parties)
    envelope = sbdh.build(content, replace(header, created=datetime.now(UTC)))
    return exchange.build_message(message, envelope, ours, theirs.certificate)


def _open(headers: Mapping[str, str], body: bytes, theirs: Identity) -> receiving.Answer:
    return receiving.receipt(receiving.open_message(headers, body, [theirs.key], lambda _: None), theirs)


def measure() -> dict[str, Rate]:
    """All figures."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        ours, theirs = (load_identity(*partners.write_pair(Path(folder), name)) for name in ("POP000001", "POP000002"))
    content = gateways.payload().content
    build = partial(_build, _header(), content, ours, theirs)
    sealed = build()
    headers = {"content-type": sealed.headers["Content-Type"]}
    receipt = _open(headers, sealed.body, theirs)
    told = {"content-type": receipt.media_type}
    check = partial(exchange.check_answer, told, receipt.content, sealed, theirs.certificate)
    opened = partial(_open, headers, sealed.body, theirs)
    return rates({"build, sign and encrypt": build, "check the receipt": check, "open and answer": opened})


def show(figures: dict[str, Rate]) -> None:
    """Print the table."""
    size = len(gateways.payload().content) / 1_000
    print(f"\n{f'AS4, messages a second, {size:.0f} KB':48}{'median':>9}{'low':>9}{'high':>9}")
    for name, rate in figures.items():
        goal = GOALS.get(name)
        verdict = f"goal {goal}: {'reached' if rate.median >= goal else 'MISSED'}" if goal else ""
        print(f"{name:48}{rate.median:9.0f}{rate.low:9.0f}{rate.high:9.0f}  {verdict}")


def main() -> None:
    """Measure, print and keep."""
    figures = measure()
    show(figures)
    rows = [{"as4": name, **rate.row(), "goal": GOALS.get(name)} for name, rate in figures.items()]
    results.write("as4", results.command(), rows, note="Messages a second of one core, without the network.")


if __name__ == "__main__":
    results.no_arguments(__doc__)
    main()
