"""Pieces of work: their ids in every line that is logged meanwhile, and, where a collector is named, spans of OpenTelemetry.

Without ``OTEL_EXPORTER_OTLP_ENDPOINT`` nothing of it is imported here. What leaves for the collector are our own ids,
routes and kinds of errors: addresses hold keys, and texts of errors may hold anything. That is why web requests become spans
here and not by the usual instrumentation, which tells both (and fails on a host that ``TRUSTED_HOSTS`` does not name).
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from flask import Flask, current_app, request

from . import logs
from .config import Config

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Link, Tracer

P = ParamSpec("P")
R = TypeVar("R")

#: In ``app.extensions``: who is to be told when the process ends, and who makes spans.
PROVIDER, _TRACER = "invoiceapp.tracing", "invoiceapp.tracer"
_OURS = "invoiceapp."
#: Addresses that machines ask every few seconds, and files.
_NOT_TRACED = ("/healthz", "/readyz", "/metrics", "/static/")
#: Of a caller's trace, which a span of ours joins (W3C Trace Context).
_CALLERS = {"traceparent": "HTTP_TRACEPARENT", "tracestate": "HTTP_TRACESTATE"}


def init_app(app: Flask, *, pages: bool) -> None:
    """Trace what the app does, and its requests where it has ``pages``, if the settings say where to."""
    config: Config = app.extensions["invoiceapp.config"]
    if not config.tracing_endpoint:
        return
    provider = _provider(config)
    app.extensions[PROVIDER] = provider
    app.extensions[_TRACER] = provider.get_tracer("invoiceapp")
    if pages:
        app.before_request(_name)
        app.wsgi_app = _requests(app.wsgi_app, app.extensions[_TRACER])  # type: ignore[method-assign]


def _requests(inner: WSGIApplication, tracer: Tracer) -> Any:
    """Make each request a span, from its first line to the beginning of its answer."""
    from opentelemetry.trace import SpanKind, StatusCode
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    callers = TraceContextTextMapPropagator()

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ.get("PATH_INFO", "").startswith(_NOT_TRACED):
            return inner(environ, start_response)
        given = {name: environ[key] for name, key in _CALLERS.items() if key in environ}
        with tracer.start_as_current_span(
            "request", callers.extract(given), SpanKind.SERVER, record_exception=False, set_status_on_exception=False
        ) as span:

            def started(status: str, *more: Any) -> Any:
                code = int(status[:3])
                span.set_attribute("http.response.status_code", code)
                if code >= 500:
                    span.set_status(StatusCode.ERROR)
                return start_response(status, *more)

            return inner(environ, started)

    return application


def _name() -> None:
    """Name the request's span, now that its route is known."""
    from opentelemetry.trace import get_current_span

    if request.url_rule is not None:
        span = get_current_span()
        span.update_name(f"{request.method} {request.url_rule.rule}")
        span.set_attributes({"http.request.method": request.method, "http.route": request.url_rule.rule})


def _provider(config: Config) -> TracerProvider:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import SERVICE_NAME, Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.util.re import parse_env_headers

    named = {} if "OTEL_SERVICE_NAME" in os.environ else {SERVICE_NAME: "invoiceapp"}
    provider = TracerProvider(resource=Resource.create(named))
    headers = dict(parse_env_headers(config.tracing_headers, liberal=True))
    exporter = OTLPSpanExporter(endpoint=f"{config.tracing_endpoint}/v1/traces", headers=headers)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider


def carried() -> dict[str, str]:
    """The span in hand, for a job that it asks for (W3C Trace Context); empty where there is none."""
    context: dict[str, str] = {}
    if _tracer() is not None:
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        TraceContextTextMapPropagator().inject(context)
    return context


def _link_to(asked_by: Mapping[str, str]) -> list[Link]:
    from opentelemetry.trace import Link, get_current_span
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    context = get_current_span(TraceContextTextMapPropagator().extract(asked_by)).get_span_context()
    return [Link(context)] if context.is_valid else []


@contextmanager
def work(name: str, asked_by: Mapping[str, str] = MappingProxyType({}), **ids: str) -> Iterator[None]:
    """A piece of work on the rows with these ids; see ``logs.ids`` for their names.

    It is linked to the span that it was ``asked_by`` (``carried``), and no child of it: one job does what many asked for.
    """
    with logs.bound(**ids):
        tracer = _tracer()
        if tracer is None:
            yield
            return
        from opentelemetry.trace import StatusCode

        with tracer.start_as_current_span(
            name,
            attributes=_attributes(ids),
            links=_link_to(asked_by),
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                yield
            except BaseException as error:
                span.set_status(StatusCode.ERROR)
                span.set_attribute("error.type", type(error).__name__)
                raise


def of(kind: str) -> Callable[[Callable[Concatenate[str, P], R]], Callable[Concatenate[str, P], R]]:
    """Of a function: it is one piece of work on the ``kind`` of row whose id is its first argument."""

    def declare(function: Callable[Concatenate[str, P], R]) -> Callable[Concatenate[str, P], R]:
        @functools.wraps(function)
        def worked(row_id: str, /, *args: P.args, **kwargs: P.kwargs) -> R:
            with work(kind, {}, **{kind: row_id}):
                return function(row_id, *args, **kwargs)

        return worked

    return declare


def about(**ids: str) -> None:
    """The work in hand is about these rows too."""
    logs.bind(**ids)
    note(**ids)


def note(**facts: str) -> None:
    """Something that the span of the work in hand should tell, such as its ``outcome``; no texts of anybody's."""
    if _tracer() is not None:
        from opentelemetry.trace import get_current_span

        get_current_span().set_attributes(_attributes(facts))


def _tracer() -> Tracer | None:
    return current_app.extensions.get(_TRACER) if current_app else None


def _attributes(values: dict[str, Any]) -> dict[str, Any]:
    return {f"{_OURS}{name}": value for name, value in values.items()}
