"""The Flask app, put together in named steps."""

from __future__ import annotations

from pathlib import Path

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
        **_security_settings(config),
    )
    if config.proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=config.proxies, x_proto=config.proxies, x_host=config.proxies)  # type: ignore[method-assign]


def _engine_options(url: str) -> dict[str, object]:
    if url.startswith("sqlite"):
        return {}
    return {"pool_pre_ping": True, "pool_size": 5, "max_overflow": 10}


def _security_settings(config: Config) -> dict[str, object]:
    """Flask-Security: sign-in with our templates; nobody signs up by themselves."""
    from .models import utcnow
    from .sign_in import UNAUTHENTICATED

    return {
        # Flask-Security has no catalogue for "da"; what ours does not translate stays English.
        "SECURITY_I18N_DIRNAME": ["builtin", str(Path(__file__).parent / "translations")],
        "SECURITY_I18N_DOMAIN": "flask_security;messages",
        "SECURITY_MSG_UNAUTHENTICATED": (UNAUTHENTICATED, "error"),
        "SECURITY_PASSWORD_HASH": "argon2",
        "SECURITY_PASSWORD_SALT": config.password_salt,
        "SECURITY_PASSWORD_LENGTH_MIN": 12,
        "SECURITY_PASSWORD_SINGLE_HASH": ["argon2"],
        "SECURITY_REGISTERABLE": False,
        # Roles belong to memberships (models/people.py).
        "SECURITY_JOIN_USER_ROLES": False,
        "SECURITY_CHANGEABLE": True,
        "SECURITY_SEND_PASSWORD_CHANGE_EMAIL": False,
        "SECURITY_TRACKABLE": True,
        "SECURITY_DATETIME_FACTORY": utcnow,
        "SECURITY_RETURN_GENERIC_RESPONSES": True,
        "SECURITY_REDIRECT_ALLOW_SUBDOMAINS": False,
        "SECURITY_CSRF_IGNORE_UNAUTH_ENDPOINTS": False,
        "SECURITY_USE_REGISTER_V2": True,
        "SECURITY_POST_LOGIN_VIEW": "/",
        "SECURITY_POST_LOGOUT_VIEW": "/login",
        "SECURITY_LOGOUT_METHODS": ["POST"],
        "WTF_CSRF_TIME_LIMIT": None,
    }


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

    from . import formatting, htmx, languages, security_headers, sign_in
    from .extensions import babel, csrf, migrate, security
    from .models import User, db

    migrate.init_app(app, db, directory=str(configuration.MIGRATIONS), render_as_batch=True)
    csrf.init_app(app)
    babel.init_app(app, locale_selector=languages.selected)
    security.init_app(app, SQLAlchemyUserDatastore(db, User, RoleMixin), **sign_in.FORMS)
    for module in (htmx, security_headers, formatting):
        module.init_app(app)


def register_pages(app: Flask) -> None:
    """All blueprints and the error pages."""
    from . import blueprints

    blueprints.init_app(app)


def register_commands(app: Flask) -> None:
    """``flask demo``, ``flask formats``, ``flask runs``, ``flask deliveries``."""
    from . import cli

    cli.init_app(app)
