"""The Flask app, put together in named steps."""

from __future__ import annotations

import socket
from typing import Any

from flask import Flask
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.retry import Retry
from werkzeug.middleware.proxy_fix import ProxyFix

from . import config as configuration
from . import tracing
from .config import Config

#: Seconds that a page or a service waits for Redis; the clock finds later what was not rung for.
BELL_TIMEOUT = 5
#: PostgreSQL: nothing hangs for ever. Far longer than anything of ours takes; a wait for a lock shorter than any lease.
TIMEOUTS = {"statement_timeout": "10min", "lock_timeout": "60s", "idle_in_transaction_session_timeout": "10min"}
#: Seconds after which the other end of a connection counts as gone, where its machine or the line was cut off and nobody said
#: so. PostgreSQL then lets go of what that machine's open transactions held: far sooner than any lease ends.
SILENCE = 30
#: Connections beside the pool's, for the moment in which one thread needs two.
_OVERFLOW = 4


def create_app(config: Config | None = None, *, pages: bool = True, process: str = "web") -> Flask:
    """The WSGI app, or without ``pages`` what workers and the clock need. Raises ``ConfigurationError``.

    ``process`` is what the database's server lists its connections by.
    """
    app = Flask(__package__)
    configure(app, config or configuration.load(), process)
    bind_data(app)
    tracing.init_app(app, pages=pages)
    if pages:
        bind_web(app)
        register_pages(app)
        register_commands(app)
    return app


def configure(app: Flask, config: Config, process: str = "web") -> None:
    """Flask's and the extensions' settings from ours."""
    from . import account_settings

    config.instance_dir.mkdir(parents=True, exist_ok=True)
    app.extensions["invoiceapp.config"] = config
    secure = config.base_url.startswith("https://")
    app.config.update(
        SECRET_KEY=config.secret_key,
        TESTING=config.testing,
        MAX_CONTENT_LENGTH=4 * 1024 * 1024,
        TRUSTED_HOSTS=list(config.trusted_hosts),
        # __Host- binds the cookie to this host, but browsers take it over https only.
        SESSION_COOKIE_NAME="__Host-session" if secure else "session",
        SESSION_COOKIE_SECURE=secure,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SQLALCHEMY_DATABASE_URI=config.database_url,
        SQLALCHEMY_ENGINE_OPTIONS=_engine_options(config, process),
        BABEL_DEFAULT_LOCALE="da",
        BABEL_DEFAULT_TIMEZONE="Europe/Copenhagen",
        **account_settings.settings(config),
    )
    if config.proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=config.proxies, x_proto=config.proxies, x_host=config.proxies)  # type: ignore[method-assign]


def _engine_options(config: Config, process: str) -> dict[str, object]:
    """Of the connections to PostgreSQL, which are opened as they are needed; ``process`` is what the server lists them by."""
    if config.database_url.startswith("sqlite"):
        return {}
    third = max(SILENCE // 3, 1)
    probes = {
        "tcp_user_timeout": SILENCE * 1000,
        "keepalives_idle": third,
        "keepalives_interval": third,
        "keepalives_count": 2,
    }
    arguments: dict[str, object] = {"application_name": f"invoiceapp {process}", "connect_timeout": 10, **probes}
    if config.database_pooler:
        # The next transaction may have another connection, which knows neither our statements nor our settings.
        arguments["prepare_threshold"] = None
    else:
        theirs = {name.replace("keepalives", "tcp_keepalives"): value for name, value in probes.items()}
        arguments["options"] = " ".join(f"-c {name}={value}" for name, value in (TIMEOUTS | theirs).items())
    return {
        "pool_pre_ping": True, "pool_size": config.database_pool_size, "max_overflow": _OVERFLOW, "pool_recycle": 1_800,
        "connect_args": arguments,
    }  # fmt: skip


def _redis_probes(url: str) -> dict[str, Any]:
    """Who waits for Redis without a limit learns that it is gone; as far as the system here can be told how soon."""
    if url.startswith("unix"):
        return {}
    third = max(SILENCE // 3, 1)
    wanted = {
        "TCP_KEEPIDLE": third, "TCP_KEEPINTVL": third, "TCP_KEEPCNT": 2, "TCP_USER_TIMEOUT": SILENCE * 1000,
    }  # fmt: skip
    options = {getattr(socket, name): value for name, value in wanted.items() if hasattr(socket, name)}
    return {"socket_keepalive": True, "socket_keepalive_options": options}


def bind_data(app: Flask) -> None:
    """Database, and two ways to Redis: one that may wait for work, one that nobody waits for long."""
    from .models import db

    config: Config = app.extensions["invoiceapp.config"]
    db.init_app(app)
    app.extensions["invoiceapp.redis"] = Redis.from_url(
        config.redis_url, socket_connect_timeout=3, health_check_interval=30, **_redis_probes(config.redis_url)
    )
    app.extensions["invoiceapp.bell"] = Redis.from_url(
        config.redis_url,
        socket_connect_timeout=3,
        socket_timeout=BELL_TIMEOUT,
        # Once more over a connection that a restart of Redis has cut; never after a timeout, which would double it.
        retry=Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,)),
    )


def bind_web(app: Flask) -> None:
    """Migrations, sign-in, languages, CSRF, htmx and the security headers."""
    from flask_security import RoleMixin, SQLAlchemyUserDatastore

    from . import (
        account_forms,
        account_security,
        formatting,
        htmx,
        languages,
        passwords,
        request_ids,
        security_headers,
        sessions,
        sign_in,
    )
    from .extensions import babel, csrf, migrate, security
    from .models import Passkey, User, db

    # Before whatever may answer a request.
    request_ids.init_app(app)
    migrate.init_app(app, db, directory=str(configuration.MIGRATIONS), render_as_batch=True)
    csrf.init_app(app)
    babel.init_app(app, locale_selector=languages.selected)
    security.init_app(app, SQLAlchemyUserDatastore(db, User, RoleMixin, Passkey), **sign_in.FORMS | account_forms.FORMS)
    for module in (htmx, security_headers, formatting, languages):
        module.init_app(app)
    passwords.init_app(app)
    sessions.init_app(app)
    account_security.init_app(app)


def register_pages(app: Flask) -> None:
    """All blueprints and the error pages."""
    from . import auditing, blueprints
    from .blueprints import policy

    blueprints.init_app(app)
    # After what refuses addresses that nobody can read.
    policy.init_app(app)
    auditing.init_app(app)


def register_commands(app: Flask) -> None:
    """What ``flask`` can do beside serving pages."""
    from . import cli

    cli.init_app(app)
