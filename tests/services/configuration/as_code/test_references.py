"""What a file may point to: nothing that was not laid out for it, and never the keys of the program itself."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select

from invoiceapp.config import Config, load
from invoiceapp.models import Gateway, Subscription, db
from invoiceapp.services.configuration.as_code import ConfigurationInvalid, Options, apply, export
from invoiceapp.services.configuration.as_code.references import PREFIX, Owner, references_of

FILE = """version: 1
subscription: Eksempel ApS
gateways:
  - name: SFTP
    kind: sftp
    environment: live
    config: {host: sftp.example, username: u}
    secrets: {password: %s}
"""


@pytest.fixture(autouse=True)
def mine(subscription: Subscription) -> None:
    """The subscription that the file names."""


def refused(reference: str) -> str:
    """Why a reference is refused; nothing is stored."""
    db.session.remove()
    with pytest.raises(ConfigurationInvalid) as error:
        apply((FILE % reference).encode(), Options())
    assert db.session.scalar(select(Gateway)) is None
    (problem,) = error.value.problems
    return str(problem)


class Recorder(Mapping[str, str]):
    """An environment that notes what it is asked for."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self.values_, self.asked = values, set[str]()

    def __getitem__(self, name: str) -> str:
        self.asked.add(name)
        return self.values_[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.values_)

    def __len__(self) -> int:
        return len(self.values_)


def test_no_setting_of_the_program_can_be_named_whatever_settings_it_has(tmp_path, monkeypatch):
    environment = Recorder({"INSTANCE_DIR": str(tmp_path / "instance")})
    load(environment)
    assert {"SECRET_KEY", "PASSWORD_SALT", "ENCRYPTION_KEYS", "DATABASE_URL", "REDIS_URL"} <= environment.asked
    for name in sorted(environment.asked):
        monkeypatch.setenv(name, "nøglen-selv")
        said = refused(f"{{env: {name}}}")
        assert f"begins with {PREFIX}" in said and "nøglen-selv" not in said


@pytest.mark.parametrize("name", ["PATH", "AWS_SECRET_ACCESS_KEY", "INVOICEAPP_SFTP", PREFIX, "x" + PREFIX + "A"])
def test_other_variables_cannot_be_named_either(monkeypatch, name):
    monkeypatch.setenv(name, "x")
    assert f"begins with {PREFIX}" in refused(f"{{env: {name}}}")


def _link_out(folder: Path, outside: Path) -> Path:
    (folder / "link").symlink_to(outside)
    return folder / "link"


def _folder_out(folder: Path, outside: Path) -> Path:
    (folder / "mappe").symlink_to(outside.parent)
    return folder / "mappe" / outside.name


def _circle(folder: Path, outside: Path) -> Path:
    (folder / "a").symlink_to(folder / "b")
    (folder / "b").symlink_to(folder / "a")
    return folder / "a"


@pytest.mark.parametrize("is_there", [True, False])
@pytest.mark.parametrize(
    "path",
    [
        lambda folder, outside: outside,
        lambda folder, outside: folder / ".." / outside.name,
        lambda folder, outside: Path(f"{folder}2") / "x",
        _link_out,
        _folder_out,
    ],
    ids=["outside", "dots", "name that begins alike", "link", "folder that is a link"],
)
def test_only_files_below_the_folder_for_secrets_are_read_and_nobody_learns_what_else_exists(
    secrets_dir: Path, tmp_path: Path, path: Callable[[Path, Path], Path], is_there: bool
) -> None:
    outside = tmp_path / "noget"
    if is_there:
        outside.write_text("hemmelig")
    assert "SECRETS_DIR" in refused(f"{{file: {path(secrets_dir, outside)}}}")


def test_links_in_a_circle_are_refused(secrets_dir):
    assert "The file" in refused(f"{{file: {_circle(secrets_dir, secrets_dir)}}}")


def test_links_within_the_folder_are_followed_as_container_platforms_lay_them(secrets_dir, tmp_path):
    (secrets_dir / "..data_1").mkdir()
    (secrets_dir / "..data_1" / "pw").write_text("hemmelig")
    (secrets_dir / "..data").symlink_to("..data_1")
    (secrets_dir / "pw").symlink_to("..data/pw")
    assert apply((FILE % f"{{file: {secrets_dir / 'pw'}}}").encode(), Options()).changes
    assert f'file: "{secrets_dir / "pw"}"' in export("Eksempel ApS")


@pytest.mark.parametrize("lay", [lambda own, path: path, lambda own, path: os.link(own, path)], ids=["itself", "link"])
def test_files_that_the_programs_own_settings_come_from_are_refused_although_they_lie_there(
    app: Flask, config: Config, secrets_dir: Path, lay: Callable[[Path, Path], object]
) -> None:
    own = secrets_dir / "secret_key"
    own.write_text("mB3nQ7xY1kLp9sTz4vWc8dRf2gHj6aEuKq")
    loaded = load({"INSTANCE_DIR": str(config.instance_dir), "SECRET_KEY_FILE": str(own)})
    app.extensions["invoiceapp.config"] = replace(config, own_files=loaded.own_files)
    path = own if lay(own, secrets_dir / "andet") else secrets_dir / "andet"
    assert "settings of the program itself" in refused(f"{{file: {path}}}")


def test_a_reference_of_an_older_release_gets_a_name_that_is_allowed():
    kept = {"password": {"env": "NORD_PW"}, "key": {"env": PREFIX + "X"}, "other": {"file": "/et/sted"}}
    owner = Owner("gateway", "Nord", dict.fromkeys(kept, "v1"), kept)
    assert references_of([owner]) == {
        ("gateway", "Nord"): {**kept, "password": {"env": PREFIX + "NORD_PASSWORD"}},
    }
    assert re.fullmatch(r"[A-Z_]+", PREFIX)
