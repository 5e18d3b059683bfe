"""Spans, as a collector on this machine gets them."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import fakeredis
import pytest
from flask import Flask
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from invoiceapp import create_app, tracing
from invoiceapp.config import Config
from invoiceapp.jobs.worker import AppWorker
from invoiceapp.models import Stage
from invoiceapp.services import bell

pytestmark = pytest.mark.server

KEY = "WyJlaiIs.aZ0-_9"


class Collector:
    """What it was sent."""

    def __init__(self, server: ThreadingHTTPServer) -> None:
        self.url = f"http://127.0.0.1:{server.server_port}"
        self.bodies: list[bytes] = []
        self.asked: list[tuple[str, str | None]] = []

    @property
    def spans(self) -> list[Any]:
        messages = [ExportTraceServiceRequest.FromString(body) for body in self.bodies]
        return [
            span for message in messages for resource in message.resource_spans
            for scope in resource.scope_spans for span in scope.spans
        ]  # fmt: skip

    def named(self, name: str) -> Any:
        [span] = [span for span in self.spans if span.name == name]
        return span


def facts(span: Any) -> dict[str, str]:
    return {one.key: one.value.string_value or str(one.value.int_value) for one in span.attributes}


@pytest.fixture
def collector() -> Iterator[Collector]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            found.asked.append((self.path, self.headers["authorization"]))
            found.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_arguments: Any) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        found = Collector(server)
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield found
        server.shutdown()
        thread.join()


@pytest.fixture
def config(config: Config, collector: Collector) -> Config:
    return dataclasses.replace(
        config, tracing_endpoint=collector.url, tracing_headers="authorization=Bearer%20to-the-collector"
    )


@pytest.fixture(autouse=True)
def ended(app: Flask) -> Iterator[None]:
    yield
    app.extensions[tracing.PROVIDER].shutdown()


def flush(app: Flask) -> None:
    assert app.extensions[tracing.PROVIDER].force_flush()


def test_a_web_request_is_a_span_without_its_address(app: Flask, collector: Collector) -> None:
    headers = {"X-Request-ID": "01JREQUEST0123456789ABCDEF"}
    app.test_client().get(f"/reset/{KEY}?token={KEY}", headers=headers, environ_overrides={"RAW_URI": f"/reset/{KEY}"})
    flush(app)
    span = collector.named("GET /reset/<token>")
    assert facts(span)["http.route"] == "/reset/<token>"
    assert facts(span)["invoiceapp.request"] == headers["X-Request-ID"]
    assert not [body for body in collector.bodies if KEY.encode() in body]


def test_the_collector_is_shown_its_key(app: Flask, collector: Collector) -> None:
    app.test_client().get("/login")
    flush(app)
    assert set(collector.asked) == {("/v1/traces", "Bearer to-the-collector")}


def test_probes_are_no_spans(app: Flask, collector: Collector) -> None:
    client = app.test_client()
    for path in ("/healthz", "/readyz", "/metrics", "/static/app.css"):
        client.get(path).close()
    flush(app)
    assert collector.spans == []


def test_an_address_of_somebody_else_is_refused_all_the_same(app: Flask) -> None:
    assert app.test_client().get("/login", headers={"Host": "evil.example"}).status_code == 400


def test_a_job_is_a_span_and_each_document_in_it_another(
    app: Flask, collector: Collector, adaptor: Any, make_customer: Any, make_document: Any
) -> None:
    connection = fakeredis.FakeStrictRedis(version=(7,))
    app.extensions["invoiceapp.redis"] = app.extensions["invoiceapp.bell"] = connection
    document_id = make_document(make_customer(), stage=Stage.QUEUED).id
    bell.ring("convert")
    AppWorker.serving([bell.Kind.CONVERT], connection).take_turns(burst=True)
    flush(app)
    job, document = collector.named("job convert"), collector.named("document")
    assert (document.parent_span_id, document.trace_id) == (job.span_id, job.trace_id)
    assert facts(job) == {"invoiceapp.task": "convert"}
    assert facts(document) == {"invoiceapp.document": document_id, "invoiceapp.adaptor": adaptor.id}


def test_a_job_is_linked_to_the_request_that_rang_for_it(app: Flask, collector: Collector) -> None:
    connection = fakeredis.FakeStrictRedis(version=(7,))
    app.extensions["invoiceapp.redis"] = app.extensions["invoiceapp.bell"] = connection
    with tracing.work("request"):
        bell.ring("convert")
    bell.ring("probe")
    AppWorker.serving([bell.Kind.CONVERT, bell.Kind.DELIVER], connection).take_turns(burst=True)
    flush(app)
    request, job = collector.named("request"), collector.named("job convert")
    assert [(link.trace_id, link.span_id) for link in job.links] == [(request.trace_id, request.span_id)]
    assert job.trace_id != request.trace_id, "others' rings are answered by the same job"
    assert not collector.named("job probe").links


def test_what_is_no_trace_is_no_link(app: Flask, collector: Collector) -> None:
    with tracing.work("piece", {"traceparent": "00-zz-01", "interval": 5}):  # type: ignore[dict-item]
        pass
    flush(app)
    assert not collector.named("piece").links


def test_an_errors_text_stays_here(app: Flask, collector: Collector) -> None:
    with pytest.raises(ValueError, match="hemmelig"), tracing.work("piece"):
        raise ValueError("hemmelig-4711")
    flush(app)
    assert facts(collector.named("piece")) == {"error.type": "ValueError"}
    assert collector.named("piece").status.code == 2
    assert not [body for body in collector.bodies if b"hemmelig" in body]


def test_without_a_collector_nothing_is_sent_or_prepared(tmp_path: Path) -> None:
    program = (
        "import sys, threading; from invoiceapp import create_app, tracing; from invoiceapp.jobs import worker\n"
        "with create_app().app_context(), tracing.work('x', run='1'): tracing.note(outcome='y')\n"
        # Of OpenTelemetry's packages redis-py imports some wherever they are installed.
        "sys.exit('opentelemetry.exporter' in sys.modules or threading.active_count() > 1)"
    )
    environment = {"INSTANCE_DIR": str(tmp_path), "PYTHONPATH": str(Path(__file__).parent.parent)}
    subprocess.run([sys.executable, "-c", program], env=environment, check=True, timeout=60)


def test_workers_trace_too(config: Config, collector: Collector) -> None:
    app = create_app(config, pages=False)
    with app.app_context(), tracing.work("piece", run="01RUN"):
        pass
    flush(app)
    app.extensions[tracing.PROVIDER].shutdown()
    assert facts(collector.named("piece")) == {"invoiceapp.run": "01RUN"}
