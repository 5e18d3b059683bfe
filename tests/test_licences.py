"""What ``make audit`` says of licences and of a vulnerability service that does not answer."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

SCRIPTS = Path(__file__).parents[1] / "scripts"


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, SCRIPTS / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


licences, audit = load("licences"), load("audit")


@pytest.mark.parametrize(
    ("licence", "kind"),
    [
        ("MIT", "free"), ("BSD License; Apache Software License", "free"), ("MIT OR GPL-3.0-only", "free"), ("ISC License (ISCL)", "free"),
        ("LGPL-3.0-only", "weak"), ("Mozilla Public License 2.0 (MPL 2.0)", "weak"), ("BSD-3-Clause AND LGPL-2.1", "weak"),
        ("GPL-2.0-or-later OR LGPL-2.1", "weak"), ("GPL-3.0-or-later", "strong"), ("MIT AND AGPL-3.0", "strong"),
        ("GNU Affero General Public License v3", "strong"), ("", "unknown"), ("Other/Proprietary License", "unknown"),
    ],
)  # fmt: skip
def test_a_licence_is_judged_by_what_it_asks_for(licence: str, kind: str) -> None:
    assert licences.kind(licence) == kind


@pytest.mark.parametrize(
    ("licence", "is_tool", "notice", "says"),
    [
        ("GPL-3.0", False, "", "not at run time"), ("GPL-3.0", True, "", None), ("LGPL-3.0", False, "", "name it in NOTICE"),
        ("LGPL-3.0", False, "  some  LGPL", None), ("LGPL-3.0", False, "  some-other  LGPL", "NOTICE") , ("", True, "", "look it up"), ("MIT", False, "", None),
    ],
)  # fmt: skip
def test_what_must_be_decided_is_said(licence: str, is_tool: bool, notice: str, says: str | None) -> None:
    found = licences.problems([licences.Package("some", "1", licence, is_tool)], notice)
    assert found == [] if says is None else says in found[0]


def test_every_installed_package_may_be_used_as_it_is() -> None:
    notice = (SCRIPTS.parent / "NOTICE").read_text()
    assert licences.problems(list(licences.installed()), notice) == []


def _answering(monkeypatch: pytest.MonkeyPatch, *outputs: str) -> None:
    waiting = list(outputs)
    monkeypatch.setattr(
        subprocess, "run", lambda *_, **__: SimpleNamespace(stdout=waiting.pop(0), stderr="", returncode=0)
    )


def _packages(**more: Any) -> str:
    return json.dumps({"dependencies": [{"name": "flask", "version": "1", "vulns": [], **more}]})


SKIPPED = json.dumps({"dependencies": [{"name": "flask", "skip_reason": "not found"}]})
BUG = {"id": "X-1", "fix_versions": ["2"]}


@pytest.mark.parametrize(
    ("outputs", "code", "says"),
    [
        ((_packages(),), 0, "no known vulnerability"),
        ((_packages(vulns=[BUG]),), 1, "X-1, repaired in 2"),
        ((SKIPPED, "", ), 3, "NOT AUDITED"),
        (("", ""), 3, "NOT AUDITED"),
        (("no json", _packages()), 0, "(osv)"),
    ],
)  # fmt: skip
def test_a_service_that_could_not_be_asked_is_never_fine(
    outputs: tuple[str, ...], code: int, says: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _answering(monkeypatch, *outputs)
    assert audit.vulnerabilities("requirements.txt") == code
    assert says in capsys.readouterr().out
