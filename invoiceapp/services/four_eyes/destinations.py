"""Where a gateway's row leads to, as a second person approves it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from invoiceapp.domain.four_eyes import Fact, gateway_fact
from invoiceapp.gateways.base import registry
from invoiceapp.models import Environment, Gateway


def fact_of(adaptor_id: str, row: Gateway, values: Mapping[str, Any] | None = None) -> Fact:
    """As the row is; ``values``: columns as they were."""
    columns = {"config": row.config, "environment": row.environment, "account": row.account} | dict(values or {})
    transport = registry().get(row.kind)
    return gateway_fact(
        adaptor_id, row.id, row.name, transport.fields if transport else (), columns["config"] or {},
        is_test=columns["environment"] is Environment.TEST, account=columns["account"],
    )  # fmt: skip
