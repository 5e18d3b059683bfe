from __future__ import annotations

import base64
import json
from dataclasses import replace

import pytest

from invoiceapp.models import db
from invoiceapp.services import secrets

NEW = "k2:" + base64.b64encode(bytes(range(32, 64))).decode()


@pytest.fixture
def run(app):
    runner = app.test_cli_runner()
    return lambda *args: runner.invoke(args=["secrets", "rotate", *args])


@pytest.fixture
def stored(gateway):
    gateway.secrets = {"password": secrets.encrypt("hemmelig", f"gateway/{gateway.id}/password")}
    db.session.commit()
    return gateway


def test_rotating_tells_how_many_and_ends_well(app, config, run, stored):
    app.extensions["invoiceapp.config"] = replace(config, encryption_keys=(NEW, *config.encryption_keys))
    done = run()
    assert done.exit_code == 0 and "encrypted anew: 1" in done.output
    assert json.loads(run("--json").stdout) == {"rewritten": 0, "current": 1, "unreadable": []}
    assert stored.secrets["password"].startswith("v1.k2.")


def test_what_no_key_opens_is_named_and_the_exit_code_tells(app, config, run, stored):
    app.extensions["invoiceapp.config"] = replace(config, encryption_keys=(NEW,))
    done = run()
    assert done.exit_code == 1
    assert f"gateway/{stored.id}/password" in done.stderr and "hemmelig" not in done.output
