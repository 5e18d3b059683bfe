from __future__ import annotations

import base64
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from invoiceapp.config import ConfigurationError, kept_secret, load, valkey_socket

SECRET = "mB3nQ7xY1kLp9sTz4vWc8dRf2gHj6aEuKq"
KEY = "k1:" + base64.b64encode(bytes(range(32))).decode()


@pytest.fixture
def production(tmp_path) -> dict[str, str]:
    """The least that production starts with."""
    return {
        "APP_ENV": "production", "INSTANCE_DIR": str(tmp_path / "instance"), "BASE_URL": "https://faktura.example",
        "SECRET_KEY": SECRET, "PASSWORD_SALT": SECRET[::-1], "ENCRYPTION_KEYS": KEY, "REDIS_URL": "redis://cache:6379/0",
    }  # fmt: skip


@pytest.fixture
def local(tmp_path) -> dict[str, str]:
    return {"INSTANCE_DIR": str(tmp_path / "instance")}


def test_production_starts_with_its_settings(production):
    config = load(production | {"DATABASE_URL": "postgres://u:p@db/app"})
    assert (config.production, config.demo, config.testing) == (True, False, False)
    assert config.trusted_hosts == ("faktura.example",)
    assert config.database_url == "postgresql+psycopg://u:p@db/app"
    assert config.redis_url == "redis://cache:6379/0"
    assert config.encryption_keys == (KEY,)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SECRET_KEY", None),
        ("SECRET_KEY", "short"),
        ("SECRET_KEY", "a" * 64),
        ("SECRET_KEY", "ab" * 32),
        ("PASSWORD_SALT", None),
        ("PASSWORD_SALT", "changeme"),
        ("ENCRYPTION_KEYS", None),
        ("BASE_URL", "http://faktura.example"),
        ("BASE_URL", None),
        ("BASE_URL", "faktura.example"),
        ("REDIS_URL", None),
        ("FLASK_DEBUG", "1"),
        ("FLASK_DEBUG", "maybe"),
        ("DEMO", "perhaps"),
        ("REQUIRE_OFFICIAL_RULES", "2"),
        ("TRUSTED_PROXIES", "one"),
        ("TRUSTED_PROXIES", "-1"),
        ("APP_ENV", "prod"),
        ("OUTBOUND_NETWORKS", "10.0.0.0/33"),
        ("OUTBOUND_NETWORKS", "10.0.0.1/8"),
        ("OUTBOUND_NETWORKS", "intranet"),
        ("OUTBOUND_PORTS", "ssh"),
        ("OUTBOUND_PORTS", "22,65536"),
        ("OUTBOUND_PORTS", "0"),
        ("OUTBOUND_PORTS", "-22"),
        ("METRICS_TOKEN", "short"),
        ("LOG_FORMAT", "xml"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://user:key@collector:4318"),
    ],
)
def test_a_weak_or_wrong_setting_is_refused_by_name(production, name, value):
    changed = {key: text for key, text in production.items() if key != name} | ({name: value} if value else {})
    with pytest.raises(ConfigurationError) as refused:
        load(changed)
    assert str(refused.value).startswith(f"{name}:")


def test_a_refusal_never_repeats_a_secret(production):
    with pytest.raises(ConfigurationError) as refused:
        load(production | {"SECRET_KEY": "hunter2"})
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    "name", ["SECRET_KEY", "PASSWORD_SALT", "ENCRYPTION_KEYS", "DATABASE_URL", "REDIS_URL", "BASE_URL"]
)
def test_values_may_lie_in_files(production, tmp_path, name):
    value = production.pop(name, "sqlite://")
    (tmp_path / "value").write_text(f"{value}\n")
    assert load(production | {f"{name}_FILE": str(tmp_path / "value")}) == load(production | {name: value})


def test_a_file_that_cannot_be_read_is_named(production, tmp_path):
    with pytest.raises(ConfigurationError, match="SECRET_KEY_FILE"):
        load(production | {"SECRET_KEY_FILE": str(tmp_path / "none")})


def test_a_file_goes_before_the_variable(production, tmp_path):
    (tmp_path / "value").write_text(SECRET.swapcase())
    assert load(production | {"SECRET_KEY_FILE": str(tmp_path / "value")}).secret_key == SECRET.swapcase()


def test_a_fresh_checkout_starts_without_any_setting(local):
    config = load(local)
    assert (config.production, config.demo, config.proxies) == (False, True, 0)
    assert config.database_url.startswith("sqlite:///")
    assert config.redis_url.startswith("unix://")
    assert set(config.trusted_hosts) == {"127.0.0.1", "localhost"}
    assert len({config.secret_key, config.password_salt, config.encryption_keys[0]}) == 3


def test_secrets_that_were_made_here_stay_and_are_private(local):
    first, second = load(local), load(local)
    assert (first.secret_key, first.password_salt, first.encryption_keys) == (
        second.secret_key, second.password_salt, second.encryption_keys,
    )  # fmt: skip
    files = list((first.instance_dir / "secrets").iterdir())
    assert len(files) == 3
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


def test_two_installations_have_different_secrets(tmp_path):
    assert kept_secret(tmp_path / "a", "secret_key") != kept_secret(tmp_path / "b", "secret_key")


def test_a_kept_secret_is_long_and_never_overwritten(tmp_path):
    value = kept_secret(tmp_path, "x")
    assert len(value) >= 48
    assert kept_secret(tmp_path, "x") == value == (tmp_path / "x").read_text()


def test_processes_that_start_together_get_one_secret(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        values = set(pool.map(lambda _: kept_secret(tmp_path / "secrets", "x"), range(32)))
    assert len(values) == 1
    assert [path.name for path in (tmp_path / "secrets").iterdir()] == ["x"]


def test_several_encryption_keys_and_hosts_are_lists(local):
    config = load(local | {"ENCRYPTION_KEYS": f" k2:abc ,\n{KEY}, ", "TRUSTED_HOSTS": "a.example, b.example,"})
    assert config.encryption_keys == ("k2:abc", KEY)
    assert config.trusted_hosts == ("a.example", "b.example")


def test_gateways_reach_the_public_internet_only_until_an_administrator_allows_more(production):
    config = load(production)
    assert (config.outbound_networks, config.outbound_ports) == ((), frozenset())
    config = load(production | {"OUTBOUND_NETWORKS": " 10.1.0.0/16, 192.168.1.7,", "OUTBOUND_PORTS": "9000, 9001,"})
    assert [str(network) for network in config.outbound_networks] == ["10.1.0.0/16", "192.168.1.7/32"]
    assert config.outbound_ports == {9000, 9001}


def test_the_demos_receivers_on_this_machine_are_reached_outside_production_only(local):
    assert [str(network) for network in load(local).outbound_networks] == ["127.0.0.0/8", "::1/128"]
    assert [str(network) for network in load(local | {"OUTBOUND_NETWORKS": "10.0.0.0/8"}).outbound_networks] == [
        "10.0.0.0/8"
    ]


@pytest.mark.parametrize(("value", "flag"), [("1", True), ("true", True), ("YES", True), ("0", False), ("no", False)])
def test_flags_are_written_in_the_usual_ways(local, value, flag):
    assert load(local | {"DEMO": value}).demo is flag


def test_the_valkey_socket_is_short_enough_for_the_system(tmp_path):
    assert valkey_socket(Path("/srv/app")) == Path("/srv/app/valkey/valkey.sock")
    long = tmp_path / ("x" * 120)
    assert len(str(valkey_socket(long))) < 104
    assert valkey_socket(long) == valkey_socket(long) != valkey_socket(long / "y")


def test_the_files_that_settings_come_from_are_known(production, tmp_path):
    (tmp_path / "value").write_text(SECRET)
    (tmp_path / "link").symlink_to(tmp_path / "value")
    assert load(production | {"SECRET_KEY_FILE": str(tmp_path / "link")}).own_files == {tmp_path / "value"}
    assert load(production).own_files == frozenset()


def test_secrets_that_were_made_here_are_files_of_our_own(local, tmp_path):
    folder = tmp_path / "instance" / "secrets"
    assert load(local).own_files == {folder / "secret_key", folder / "password_salt", folder / "encryption_key"}


def test_secrets_of_configuration_files_lie_where_the_operator_says(local, tmp_path):
    assert load(local).secrets_dir == Path("/run/secrets")
    assert load(local | {"SECRETS_DIR": str(tmp_path / "x" / ".." / "y")}).secrets_dir == tmp_path / "y"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("smtp://mail.example", ("mail.example", 587, "starttls", "", "")),
        ("smtps://u:p%40ss@mail.example", ("mail.example", 465, "tls", "u", "p@ss")),
        ("smtp://127.0.0.1:25?starttls=0", ("127.0.0.1", 25, "none", "", "")),
    ],
)
def test_the_mail_server_is_one_address(local, url, expected):
    mail = load(local | {"MAIL_URL": url, "MAIL_FROM": "Faktura <faktura@example.dk>"}).mail
    assert (mail.host, mail.port, mail.security, mail.username, mail.password) == expected
    assert (mail.sender, mail.sender_name) == ("faktura@example.dk", "Faktura") and "p@ss" not in repr(mail)


@pytest.mark.parametrize(
    ("url", "sender", "named"),
    [
        ("http://mail.example", "a@b.example", "MAIL_URL"),
        ("smtp://mail.example:x", "a@b.example", "MAIL_URL"),
        ("smtp://mail.example?tls=1", "a@b.example", "MAIL_URL"),
        ("smtp://mail.example?starttls=no", "a@b.example", "MAIL_URL"),
        ("smtp://mail.example", "", "MAIL_FROM"),
        ("smtp://mail.example", "Faktura", "MAIL_FROM"),
    ],
)
def test_a_mail_server_that_cannot_be_used_is_named(local, url, sender, named):
    with pytest.raises(ConfigurationError, match=named):
        load(local | {"MAIL_URL": url, "MAIL_FROM": sender})


def test_without_a_mail_server_there_is_none(local):
    assert load(local).mail is None


OIDC = {
    "OIDC_ISSUER": "https://login.example/realms/firma",
    "OIDC_CLIENT_ID": "faktura",
    "OIDC_CLIENT_SECRET": "hemmelig-7391",
}


def test_an_identity_provider_is_an_issuer_and_what_it_gave_us(production, tmp_path):
    provider = load(production | OIDC).oidc
    assert provider is not None and "hemmelig-7391" not in repr(provider)
    assert (provider.issuer, provider.client_id, provider.client_secret, provider.label) == (
        "https://login.example/realms/firma", "faktura", "hemmelig-7391", "login.example",
    )  # fmt: skip
    (tmp_path / "client_secret").write_text("i-en-fil\n")
    in_file = {**OIDC, "OIDC_CLIENT_SECRET_FILE": str(tmp_path / "client_secret"), "OIDC_LABEL": "Firma"}
    provider = load(production | in_file).oidc
    assert provider is not None and (provider.client_secret, provider.label) == ("i-en-fil", "Firma")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OIDC_ISSUER", "http://login.example"),
        ("OIDC_ISSUER", "http://127.0.0.1:8080"),
        ("OIDC_ISSUER", "login.example"),
        ("OIDC_ISSUER", "https://login.example/?realm=firma"),
        ("OIDC_CLIENT_ID", ""),
        ("OIDC_CLIENT_SECRET", ""),
    ],
)
def test_an_identity_provider_that_cannot_be_used_is_named(production, name, value):
    with pytest.raises(ConfigurationError, match=f"^{name}: ") as refused:
        load(production | OIDC | {name: value})
    assert "hemmelig-7391" not in str(refused.value)


def test_an_identity_provider_on_this_machine_is_for_trying_out(local):
    provider = load(local | OIDC | {"OIDC_ISSUER": "http://localhost:8080"}).oidc
    assert provider is not None and provider.label == "localhost"


def test_without_an_issuer_people_sign_in_here_only(local):
    assert load(local | {"OIDC_CLIENT_ID": "faktura"}).oidc is None


def test_the_archive_is_a_folder_unless_its_address_says_otherwise(local, tmp_path):
    assert load(local).archive_dir == tmp_path / "instance" / "archive"
    assert load(local | {"ARCHIVE_DIR": "/srv/a b"}).archive_dir == Path("/srv/a b")
    config = load(local | {"ARCHIVE_DIR": "/srv/a", "ARCHIVE_URL": "file:///srv/b%20c"})
    assert (config.archive_dir, config.archive_url) == (Path("/srv/b c"), "")
    assert load(local | {"ARCHIVE_URL": "s3://bucket/some/prefix/"}).archive_url == "s3://bucket/some/prefix"
    assert load(local | {"ARCHIVE_ENCRYPTION": "1"}).archive_encryption and not load(local).archive_encryption


def test_the_archives_keys_come_from_the_environment_or_a_file(local, tmp_path):
    (tmp_path / "key").write_text("from a file\n")
    found = load(
        local
        | {
            "ARCHIVE_URL": "s3://bucket", "ARCHIVE_S3_ENDPOINT": "https://s3.example.dk/", "ARCHIVE_S3_REGION": "dk-1",
            "ARCHIVE_S3_ACCESS_KEY_ID": "id", "ARCHIVE_S3_SECRET_ACCESS_KEY_FILE": str(tmp_path / "key"),
        }
    )  # fmt: skip
    access = found.archive_access
    assert (access.endpoint, access.region, access.key_id) == ("https://s3.example.dk", "dk-1", "id")
    assert access.secret == "from a file" and access.path_style and "from a file" not in repr(found)
    assert not load(
        local | {"ARCHIVE_S3_PATH_STYLE": "0", "ARCHIVE_S3_ENDPOINT": "https://x.dk"}
    ).archive_access.path_style


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ARCHIVE_URL", "/srv/archive"), ("ARCHIVE_URL", "file://server/share"), ("ARCHIVE_URL", "https://bucket.example"),
        ("ARCHIVE_URL", "s3://id:key@bucket"), ("ARCHIVE_URL", "s3://bucket?region=x"), ("ARCHIVE_URL", "s3:///prefix"),
        ("ARCHIVE_S3_ENDPOINT", "s3.example.dk"), ("ARCHIVE_S3_ENDPOINT", "https://id:key@s3.example.dk"),
        ("ARCHIVE_S3_ACCESS_KEY_ID", "alone"), ("ARCHIVE_S3_SECRET_ACCESS_KEY", "alone"), ("ARCHIVE_ENCRYPTION", "maybe"),
    ],
)  # fmt: skip
def test_an_archive_that_cannot_be_meant_is_named(local, name, value):
    with pytest.raises(ConfigurationError, match=name) as caught:
        load(local | {name: value})
    assert "key@" not in str(caught.value)


def test_figures_and_traces_have_keys_that_may_lie_in_files(local, tmp_path):
    (tmp_path / "token").write_text(f"{SECRET}\n")
    (tmp_path / "headers").write_text(f"authorization=Bearer {SECRET}")
    config = load(
        local
        | {
            "METRICS_TOKEN_FILE": str(tmp_path / "token"), "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318/",
            "OTEL_EXPORTER_OTLP_HEADERS_FILE": str(tmp_path / "headers"), "LOG_FORMAT": "json",
        }
    )  # fmt: skip
    assert (config.metrics_token, config.tracing_endpoint) == (SECRET, "http://collector:4318")
    assert config.tracing_headers == f"authorization=Bearer {SECRET}" and SECRET not in repr(config)
    assert load(local).metrics_token == load(local).tracing_endpoint == ""


def test_connections_to_the_database_are_eight_unless_another_number_is_given(local):
    assert load(local).database_pool_size == 8 and not load(local).database_pooler
    config = load(local | {"DATABASE_POOL_SIZE": "3", "DATABASE_POOLER": "1"})
    assert config.database_pool_size == 3 and config.database_pooler


def test_billy_is_spared_in_production_and_the_stand_in_is_not(production, local):
    given = {"BILLY_REQUESTS_PER_SECOND": "7"}
    loaded = [load(settings).billy_requests_per_second for settings in (production, local, production | given)]
    assert loaded == [20, 0, 7]
    assert load(production | {"BILLY_REQUESTS_PER_SECOND": "0"}).billy_requests_per_second == 0
