"""The Flask app, put together in named steps."""

from __future__ import annotations

from flask import Flask
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.retry import Retry
from werkzeug.middleware.proxy_fix import ProxyFix

from . import config as configuration
from .config import Config

#: Seconds that a page or a service waits for Redis; the clock finds later what was not rung for.
BELL_TIMEOUT = 5


def create_app(config: Config | None = None, *, pages: bool = True) -> Flask:
    """The WSGI app, or without ``pages`` what workers and the clock need. Raises ``ConfigurationError``."""
    app = Flask(__package__)
    configure(app, config or configuration.load())
    bind_data(app)
    if pages:
        bind_web(app)
        register_pages(app)
        register_commands(app)
    return app


def configure(app: Flask, config: Config) -> None:
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
        SQLALCHEMY_ENGINE_OPTIONS=_engine_options(config.database_url),
        BABEL_DEFAULT_LOCALE="da",
        BABEL_DEFAULT_TIMEZONE="Europe/Copenhagen",
        **account_settings.settings(config),
    )
    if config.proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=config.proxies, x_proto=config.proxies, x_host=config.proxies)  # type: ignore[method-assign]


def _engine_options(url: str) -> dict[str, object]:
    if url.startswith("sqlite"):
        return {}
    return {"pool_pre_ping": True, "pool_size": 5, "max_overflow": 10}


def bind_data(app: Flask) -> None:
    """Database, and two ways to Redis: one that may wait for work, one that nobody waits for long."""
    from .models import db

    config: Config = app.extensions["invoiceapp.config"]
    db.init_app(app)
    app.extensions["invoiceapp.redis"] = Redis.from_url(
        config.redis_url, socket_connect_timeout=3, health_check_interval=30
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
        security_headers,
        sessions,
        sign_in,
    )
    from .extensions import babel, csrf, migrate, security
    from .models import Passkey, User, db

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
    """``flask demo``, ``flask formats``, ``flask runs``, ``flask deliveries``."""
    from . import cli

    cli.init_app(app)
