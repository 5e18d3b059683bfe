"""A worker that ends without a word, as ``kill -9`` would end it, at the step that its argument names.

``{"step": …, "position": n}``: at the n-th delivery of its batch.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from typing import Any

from invoiceapp import create_app
from invoiceapp.gateways.email import transport as email_transport
from invoiceapp.gateways.sftp.transport import SftpTransport
from invoiceapp.services.export import delivery, events, outcomes


def _dying(function: Callable[..., Any], position: int, *, after: bool) -> Callable[..., Any]:
    """``function``, which the process does not survive when it is called for the ``position``-th time."""
    calls = 0
    # Of the lines of the timeline only the one that is written with the attempt.
    kinds = {"sending"} if function is events.of_delivery else None

    def run(*arguments: Any, **options: Any) -> Any:
        nonlocal calls
        calls += kinds is None or arguments[0] in kinds
        if calls == position and not after:
            os._exit(137)
        result = function(*arguments, **options)
        if calls == position:
            os._exit(137)
        return result

    return run


#: Step: where the function lives, its name, and whether it still does its work.
STEPS: dict[str, list[tuple[Any, str, bool]]] = {
    "after_claim": [(delivery, "begin", False)],
    "in_begin": [(events, "of_delivery", True)],
    "after_begin": [(delivery, "begin", True)],
    "before_the_bytes_left": [(SftpTransport, "_publish", False), (email_transport, "deliver", False)],
    "after_the_bytes_left": [(SftpTransport, "_publish", True), (email_transport, "deliver", True)],
    "after_send": [(outcomes, "accept", False)],
    "in_accept": [(outcomes, "_add_receipt", True)],
    "after_accept": [(outcomes, "accept", True)],
}


def main() -> None:
    wanted = json.loads(sys.argv[1])
    for owner, name, after in STEPS[wanted["step"]]:
        setattr(owner, name, _dying(getattr(owner, name), wanted["position"], after=after))
    with create_app(pages=False).app_context():
        delivery.deliver_due()


if __name__ == "__main__":
    main()
