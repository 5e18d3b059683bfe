"""The ids that log lines and spans carry while something is worked on."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping

import pytest
from flask import Flask
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from invoiceapp import logs, tracing
from invoiceapp.domain.findings import Text
from invoiceapp.gateways.base import Rejected
from invoiceapp.models import Job, db
from invoiceapp.services import background
from invoiceapp.services.errors import ServiceError
from invoiceapp.services.export import conversion, delivery, runs

WORDS = Text("Nej.", "No.")


@pytest.fixture
def spans(app: Flask) -> Iterator[InMemorySpanExporter]:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    app.extensions[tracing._TRACER] = provider.get_tracer("test")
    yield exporter
    provider.shutdown()


def facts(spans: InMemorySpanExporter, name: str) -> dict[str, object]:
    [span] = [one for one in spans.get_finished_spans() if one.name == name]
    return {key.removeprefix("invoiceapp."): value for key, value in (span.attributes or {}).items()}


def heard(monkeypatch, module, name: str) -> list[Mapping[str, str]]:
    """The ids at each call of a function."""
    found: list[Mapping[str, str]] = []
    real = getattr(module, name)

    def listen(*arguments, **options):
        found.append(dict(logs.ids()))
        return real(*arguments, **options)

    monkeypatch.setattr(module, name, listen)
    return found


@pytest.mark.parametrize("outcome", ["accepted", "rejected"])
def test_a_delivery_attempt_tells_what_it_was_about_and_what_became_of_it(
    spans, ready, partner, gateway, adaptor, outcome
):
    partner.outcomes = [Rejected(WORDS)] if outcome == "rejected" else []
    row = ready()
    about = {"delivery": row.id, "gateway": gateway.id, "document": row.document_id, "adaptor": adaptor.id}
    delivery.deliver_due()
    assert facts(spans, "delivery") == {**about, "outcome": outcome}
    assert dict(logs.ids()) == {}


def test_a_conversion_names_document_and_adaptor_where_something_is_logged(
    monkeypatch, make_customer, make_document, adaptor
):
    row = make_document(make_customer(), stage=conversion.Stage.QUEUED)
    found = heard(monkeypatch, conversion, "_wait_or_block")
    conversion.convert_due()
    assert found == [{"document": row.id, "adaptor": adaptor.id}]


def test_a_run_names_itself_and_its_adaptor(monkeypatch, spans, adaptor):
    run = runs.start(adaptor.id, trigger="manual")
    found = heard(monkeypatch, runs, "_fail")
    runs.execute(run.id)
    assert found == [{"run": run.id, "adaptor": adaptor.id}]
    assert facts(spans, "run") == found[0]


def test_a_job_names_itself_and_its_adaptor(adaptor):
    row = Job(subscription_id=adaptor.subscription_id, adaptor_id=adaptor.id, kind="test")
    db.session.add(row)
    db.session.commit()
    found = []

    def handler(_progress) -> bool:
        found.append(dict(logs.ids()))
        raise ServiceError(WORDS)

    background.execute(row.id, {"test": handler})
    assert found == [{"job": row.id, "adaptor": adaptor.id}]


def test_what_is_logged_during_a_request_carries_its_name(monkeypatch, capsys):
    log = logging.getLogger("test.request")
    handler = logging.StreamHandler()
    handler.setFormatter(logs.JsonLine())
    log.addHandler(handler)
    with logs.bound(request="01JREQUEST"):
        log.warning("asked")
    log.removeHandler(handler)
    assert '"message": "asked", "request": "01JREQUEST"' in capsys.readouterr().err
