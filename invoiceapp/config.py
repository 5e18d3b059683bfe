"""Settings from the environment. Every name may end in ``_FILE`` and then names a file that holds the value."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from email.utils import parseaddr
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from invoiceapp.outbound.guard import Network, networks

SHORTEST_SECRET = 32
MIGRATIONS = Path(__file__).resolve().parent.parent / "migrations"


class ConfigurationError(Exception):
    """Settings with which the product must not start; the message names the variable and what to write."""


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where our own mails leave, and from whom."""

    host: str
    port: int
    security: str
    """``starttls``, ``tls`` or ``none``, which is for a server on this machine"""
    sender: str
    sender_name: str = ""
    username: str = ""
    password: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class IdentityProvider:
    """Where people may sign in instead of here (OpenID Connect)."""

    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    label: str
    """What its button says"""


@dataclass(frozen=True, slots=True)
class ObjectAccess:
    """How an archive in an S3-compatible store is reached; what is empty, the usual AWS settings of the machine say."""

    endpoint: str = ""
    region: str = ""
    key_id: str = field(default="", repr=False)
    secret: str = field(default="", repr=False)
    path_style: bool = False
    """Whether the bucket stands in the path instead of in the host name"""


@dataclass(frozen=True, slots=True)
class Config:
    """All settings of one process. See docs/configuration.md for each variable."""

    production: bool
    secret_key: str
    password_salt: str
    encryption_keys: tuple[str, ...]
    """``id:base64`` pairs of 32-byte keys; the first encrypts, all decrypt"""
    database_url: str
    redis_url: str
    instance_dir: Path
    archive_dir: Path
    """Where the archive is, unless ``archive_url`` names another place"""
    rules_dir: Path
    base_url: str
    trusted_hosts: tuple[str, ...]
    proxies: int
    """Reverse proxies in front, whose X-Forwarded-* headers are believed"""
    require_official_rules: bool
    """Whether documents stay where a format's official rule pack is not installed"""
    demo: bool
    outbound_networks: tuple[Network, ...] = ()
    """Closed networks that gateways may reach all the same"""
    outbound_ports: frozenset[int] = frozenset()
    """Ports of other services that gateways may use all the same"""
    testing: bool = False
    billy_requests_per_second: int = 0
    """Of all workers together, for each company; 0: no limit"""
    reconciliation_days: int = 45
    """How far back each night's comparison with the source reads"""
    database_pool_size: int = 8
    """Connections to PostgreSQL that one process keeps: as many as the web process has threads"""
    database_pooler: bool = False
    """Whether ``database_url`` leads to a pooler that shares connections out by transaction (PgBouncer)"""
    mail: MailServer | None = None
    """None: no mails are sent; notices stand in the inbox"""
    oidc: IdentityProvider | None = None
    archive_url: str = ""
    """``s3://bucket/prefix``; empty: ``archive_dir``"""
    archive_access: ObjectAccess = ObjectAccess()
    archive_encryption: bool = False
    """Whether new files of the archive are encrypted at rest"""
    secrets_dir: Path = Path("/run/secrets")
    """Where a configuration file may point to secrets"""
    metrics_token: str = field(default="", repr=False)
    """Who shows it may read ``/metrics``; without one, who asks from this machine"""
    tracing_endpoint: str = ""
    """The collector of OpenTelemetry (OTLP/HTTP) that spans are sent to; empty: there are none"""
    tracing_headers: str = field(default="", repr=False)
    """What it wants to be shown, ``name=value`` pairs separated by commas"""
    own_files: frozenset[Path] = field(default=frozenset(), compare=False)
    """Files that these settings were read from: no configuration file may point to them"""


class _Reader:
    """Reads variables, or the files that ``*_FILE`` variables name."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self.files: set[Path] = set()
        """Those that were read"""

    def text(self, name: str, default: str | None = None) -> str | None:
        path = self._environment.get(f"{name}_FILE")
        if path:
            self.files.add(Path(path).resolve())
            try:
                return Path(path).read_text(encoding="utf-8").strip()
            except OSError as error:
                raise ConfigurationError(f"{name}_FILE: cannot read {path}: {error.strerror}") from error
        return self._environment.get(name) or default

    def flag(self, name: str, default: bool) -> bool:
        value = self._environment.get(name, "").lower()
        if value not in ("", "0", "1", "true", "false", "yes", "no"):
            raise ConfigurationError(f"{name}: write 1 or 0, not {value!r}")
        return value in ("1", "true", "yes") if value else default

    def kept(self, instance_dir: Path, name: str) -> str:
        folder = instance_dir / "secrets"
        self.files.add(folder / name)
        return kept_secret(folder, name)

    def integer(self, name: str, default: int) -> int:
        value = self._environment.get(name)
        if value and not value.isdecimal():
            raise ConfigurationError(f"{name}: write a whole number, not {value!r}")
        return int(value) if value else default


def valkey_socket(instance_dir: Path) -> Path:
    """Where the bundled Valkey listens. Socket paths are short (108 bytes on Linux, 104 on macOS)."""
    path = instance_dir / "valkey" / "valkey.sock"
    if len(str(path)) < 100:
        return path
    digest = hashlib.sha256(str(path).encode()).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"invoiceapp-{digest}.sock"


def kept_secret(folder: Path, name: str) -> str:
    """A random secret that is made once and kept in the instance folder, readable by its owner only."""
    path = folder / name
    folder.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        descriptor, draft = tempfile.mkstemp(dir=folder)  # mkstemp gives 0600
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(48))
        # Whole or not at all: web, worker and clock start at the same moment, and the first one wins.
        with suppress(FileExistsError):
            os.link(draft, path)
        os.unlink(draft)
    return path.read_text(encoding="ascii").strip()


def _secret(reader: _Reader, name: str, production: bool, instance_dir: Path) -> str:
    value = reader.text(name)
    if value is None and not production:
        return reader.kept(instance_dir, name.lower())
    if value is None or len(value) < SHORTEST_SECRET or len(set(value)) < 10:
        raise ConfigurationError(
            f"{name}: production needs a random value of at least {SHORTEST_SECRET} characters, "
            'for example from: python -c "import secrets; print(secrets.token_urlsafe(48))"'
        )
    return value


def _encryption_keys(reader: _Reader, production: bool, instance_dir: Path) -> tuple[str, ...]:
    value = reader.text("ENCRYPTION_KEYS")
    if value:
        return tuple(part.strip() for part in value.replace("\n", ",").split(",") if part.strip())
    if production:
        raise ConfigurationError(
            "ENCRYPTION_KEYS: production needs at least one key as id:base64, "
            "for example from: python -c \"import base64,os; print('k1:'+base64.b64encode(os.urandom(32)).decode())\""
        )
    return ("local:" + reader.kept(instance_dir, "encryption_key"),)


def _base_url(reader: _Reader, production: bool) -> str:
    url = reader.text("BASE_URL", "http://127.0.0.1:5000") or ""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigurationError(f"BASE_URL: write the address people use, https://…, not {url!r}")
    if production and parts.scheme != "https":
        raise ConfigurationError("BASE_URL: production needs https, because session cookies travel with every page")
    return url.rstrip("/")


def _database_url(reader: _Reader, instance_dir: Path) -> str:
    url = reader.text("DATABASE_URL") or f"sqlite:///{instance_dir / 'invoiceapp.sqlite3'}"
    # Platforms hand out postgres://; SQLAlchemy wants the driver's name.
    for prefix in ("postgres://", "postgresql://"):
        if url.startswith(prefix):
            return "postgresql+psycopg://" + url.removeprefix(prefix)
    return url


def _outbound_networks(reader: _Reader, production: bool) -> tuple[Network, ...]:
    # The demo's receivers listen on this machine; in production that is a server's inside.
    value = reader.text("OUTBOUND_NETWORKS", "" if production else "127.0.0.0/8,::1")
    try:
        return networks((value or "").split(","))
    except ValueError as error:
        raise ConfigurationError(
            f"OUTBOUND_NETWORKS: write networks such as 10.1.0.0/16,192.168.1.7; {error}"
        ) from error


def _outbound_ports(reader: _Reader) -> frozenset[int]:
    parts = [part.strip() for part in (reader.text("OUTBOUND_PORTS") or "").split(",") if part.strip()]
    if any(not part.isdecimal() or not 0 < int(part) < 65_536 for part in parts):
        raise ConfigurationError(f"OUTBOUND_PORTS: write port numbers such as 9000,9001, not {','.join(parts)!r}")
    return frozenset(int(part) for part in parts)


def _mail(reader: _Reader) -> MailServer | None:
    url, sender = reader.text("MAIL_URL"), reader.text("MAIL_FROM")
    if not url:
        return None
    wrong = "MAIL_URL: write smtp://user:password@host:587 or smtps://user:password@host:465"
    try:
        parts = urlsplit(url)
        port, query = parts.port, parse_qs(parts.query, strict_parsing=bool(parts.query))
    except ValueError as error:
        raise ConfigurationError(wrong) from error
    if parts.scheme not in ("smtp", "smtps") or not parts.hostname or set(query) - {"starttls"}:
        raise ConfigurationError(wrong)
    starttls = query.get("starttls", ["1"])[0]
    if starttls not in ("0", "1"):
        raise ConfigurationError("MAIL_URL: starttls is 1, or 0 for a mail server on this machine")
    name, address = parseaddr(sender or "")
    if not re.fullmatch(r"[^@\s]+@[^@\s]+", address):
        raise ConfigurationError(
            "MAIL_FROM: write the address that mails come from, such as Faktura <faktura@example.dk>"
        )
    is_tls = parts.scheme == "smtps"
    return MailServer(
        parts.hostname, port or (465 if is_tls else 587), "tls" if is_tls else "starttls" if starttls == "1" else "none",
        address, name, unquote(parts.username or ""), unquote(parts.password or ""),
    )  # fmt: skip


def _oidc(reader: _Reader, production: bool) -> IdentityProvider | None:
    issuer = (reader.text("OIDC_ISSUER") or "").strip()
    if not issuer:
        return None
    parts = urlsplit(issuer)
    is_near = parts.scheme == "http" and parts.hostname in ("localhost", "127.0.0.1") and not production
    if not parts.hostname or not (parts.scheme == "https" or is_near) or parts.query or parts.fragment:
        raise ConfigurationError(f"OIDC_ISSUER: write the https address of the provider, not {issuer!r}")
    values = {name: reader.text(name) for name in ("OIDC_CLIENT_ID", "OIDC_CLIENT_SECRET")}
    for name, value in values.items():
        if not value:
            raise ConfigurationError(f"{name}: write what the provider {issuer} has given this installation")
    return IdentityProvider(
        issuer, values["OIDC_CLIENT_ID"] or "", values["OIDC_CLIENT_SECRET"] or "",
        reader.text("OIDC_LABEL") or parts.hostname,
    )  # fmt: skip


def archive_place(url: str, variable: str = "ARCHIVE_URL") -> str:
    """The address of an archive, in one form. Raises ``ConfigurationError``."""
    parts = urlsplit(url)
    is_folder = parts.scheme == "file" and parts.netloc in ("", "localhost") and parts.path.startswith("/")
    is_bucket = parts.scheme == "s3" and bool(re.fullmatch(r"[a-z0-9][a-z0-9._-]{1,62}", parts.netloc))
    if not (is_folder or is_bucket) or parts.query or parts.fragment:
        raise ConfigurationError(
            f"{variable}: write file:///path or s3://bucket/prefix; keys have variables of their own"
        )
    return Path(unquote(parts.path)).resolve().as_uri() if is_folder else url.rstrip("/")


def _archive(reader: _Reader, instance_dir: Path) -> tuple[Path, str]:
    """``archive_dir`` and ``archive_url``."""
    folder = Path(reader.text("ARCHIVE_DIR") or instance_dir / "archive").resolve()
    url = archive_place(reader.text("ARCHIVE_URL") or folder.as_uri())
    is_folder = url.startswith("file:")
    return Path(unquote(urlsplit(url).path)) if is_folder else folder, "" if is_folder else url


def _archive_access(reader: _Reader) -> ObjectAccess:
    endpoint = (reader.text("ARCHIVE_S3_ENDPOINT") or "").strip().rstrip("/")
    parts = urlsplit(endpoint)
    if endpoint and (parts.scheme not in ("http", "https") or not parts.hostname or parts.username):
        raise ConfigurationError("ARCHIVE_S3_ENDPOINT: write the store's address, https://…, without a name or a key")
    key_id, secret = reader.text("ARCHIVE_S3_ACCESS_KEY_ID"), reader.text("ARCHIVE_S3_SECRET_ACCESS_KEY")
    if bool(key_id) != bool(secret):
        raise ConfigurationError("ARCHIVE_S3_ACCESS_KEY_ID and ARCHIVE_S3_SECRET_ACCESS_KEY: write both, or none")
    return ObjectAccess(
        endpoint, reader.text("ARCHIVE_S3_REGION") or "", key_id or "", secret or "",
        # A store that is not Amazon's seldom has a host name for each bucket.
        reader.flag("ARCHIVE_S3_PATH_STYLE", bool(endpoint)),
    )  # fmt: skip


def _metrics_token(reader: _Reader) -> str:
    token = reader.text("METRICS_TOKEN") or ""
    if token and len(token) < SHORTEST_SECRET:
        raise ConfigurationError(f"METRICS_TOKEN: write a random value of at least {SHORTEST_SECRET} characters")
    return token


def _tracing_endpoint(reader: _Reader) -> str:
    url = (reader.text("OTEL_EXPORTER_OTLP_ENDPOINT") or "").strip().rstrip("/")
    parts = urlsplit(url)
    if url and (parts.scheme not in ("http", "https") or not parts.hostname or parts.username):
        raise ConfigurationError(
            "OTEL_EXPORTER_OTLP_ENDPOINT: write the collector's address, http://host:4318, without a name or a key"
        )
    return url


def _require_log_format(reader: _Reader) -> None:
    # Used before there are settings (``logs.configure``); here a wrong one is named.
    wanted = reader.text("LOG_FORMAT", "text")
    if wanted not in ("text", "json"):
        raise ConfigurationError(f"LOG_FORMAT: write text or json, not {wanted!r}")


def load(environment: Mapping[str, str] | None = None) -> Config:
    """Settings of this process. Raises ``ConfigurationError`` rather than start weakly."""
    environment = os.environ if environment is None else environment
    reader = _Reader(environment)
    mode = reader.text("APP_ENV", "local")
    if mode not in ("local", "production"):
        raise ConfigurationError(f"APP_ENV: write local or production, not {mode!r}")
    production = mode == "production"
    if production and reader.flag("FLASK_DEBUG", False):
        raise ConfigurationError("FLASK_DEBUG: must not be set in production")
    instance_dir = Path(reader.text("INSTANCE_DIR", "instance") or "instance").resolve()
    base_url = _base_url(reader, production)
    hosts = tuple(h for h in (reader.text("TRUSTED_HOSTS") or "").split(",") if h.strip())
    archive_dir, archive_url = _archive(reader, instance_dir)
    _require_log_format(reader)
    redis_url = reader.text("REDIS_URL")
    if production and redis_url is None:
        raise ConfigurationError("REDIS_URL: production needs the address of a Redis or Valkey server")
    return Config(
        production=production,
        secret_key=_secret(reader, "SECRET_KEY", production, instance_dir),
        password_salt=_secret(reader, "PASSWORD_SALT", production, instance_dir),
        encryption_keys=_encryption_keys(reader, production, instance_dir),
        database_url=_database_url(reader, instance_dir),
        database_pool_size=max(reader.integer("DATABASE_POOL_SIZE", 8), 1),
        database_pooler=reader.flag("DATABASE_POOLER", False),
        redis_url=redis_url or f"unix://{valkey_socket(instance_dir)}",
        instance_dir=instance_dir,
        archive_dir=archive_dir,
        archive_url=archive_url,
        archive_access=_archive_access(reader),
        archive_encryption=reader.flag("ARCHIVE_ENCRYPTION", False),
        # Locally the stand-in answers, which need not be spared.
        billy_requests_per_second=reader.integer("BILLY_REQUESTS_PER_SECOND", 20 if production else 0),
        reconciliation_days=max(reader.integer("RECONCILIATION_DAYS", 45), 1),
        rules_dir=Path(reader.text("RULES_DIR") or instance_dir / "rules").resolve(),
        base_url=base_url,
        trusted_hosts=tuple(h.strip() for h in hosts) or _default_hosts(base_url, production),
        proxies=reader.integer("TRUSTED_PROXIES", 0),
        require_official_rules=reader.flag("REQUIRE_OFFICIAL_RULES", False),
        demo=reader.flag("DEMO", not production),
        outbound_networks=_outbound_networks(reader, production),
        outbound_ports=_outbound_ports(reader),
        mail=_mail(reader),
        oidc=_oidc(reader, production),
        secrets_dir=Path(reader.text("SECRETS_DIR") or "/run/secrets").resolve(),
        metrics_token=_metrics_token(reader),
        tracing_endpoint=_tracing_endpoint(reader),
        tracing_headers=reader.text("OTEL_EXPORTER_OTLP_HEADERS") or "",
        # Last, when everything has been read.
        own_files=frozenset(reader.files),
    )


def _default_hosts(base_url: str, production: bool) -> tuple[str, ...]:
    host = urlsplit(base_url).hostname or ""
    return (host,) if production else (host, "127.0.0.1", "localhost")
