"""What belongs to the running app: its settings and its Redis. Light, because workers import it."""

from __future__ import annotations

from flask import current_app
from redis import Redis

from invoiceapp.config import Config
from invoiceapp.outbound.guard import Guard


def config() -> Config:
    """The settings of the current app."""
    settings: Config = current_app.extensions["invoiceapp.config"]
    return settings


def guard() -> Guard:
    """What this installation lets its connections reach."""
    return Guard(config().outbound_networks, config().outbound_ports)


def redis_connection() -> Redis:
    """For workers and the clock, which wait for Redis; nothing is asked of it before the first command."""
    connection: Redis = current_app.extensions["invoiceapp.redis"]
    return connection


def bell_connection() -> Redis:
    """For ringing from pages and services: a Redis that hangs is given up after seconds."""
    connection: Redis = current_app.extensions["invoiceapp.bell"]
    return connection
