"""The runbook names what exists: commands, figures, services, pages of its own."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "operations.md").read_text()


def test_every_command_exists(app):
    for words in set(re.findall(r"(?:flask|invoiceapp-flask) ([a-z][a-z -]*)", TEXT)):
        command: click.Command = app.cli
        for word in words.split():
            if not isinstance(command, click.Group) or word not in command.commands:
                break
            command = command.commands[word]
        assert command is not app.cli, words


def test_every_option_exists(app):
    for words, option in set(re.findall(r"flask ([a-z]+(?: [a-z]+)?)[^`|\n]* (--[a-z-]+)", TEXT)):
        command: click.Command = app.cli
        for word in words.split():
            if isinstance(command, click.Group) and word in command.commands:
                command = command.commands[word]
        assert any(option in one.opts for one in command.params), (words, option)


def test_every_figure_is_one_of_those_that_are_told():
    source = (ROOT / "invoiceapp" / "services" / "operations" / "metrics.py").read_text()
    told = set(re.findall(r'"([a-z_]+)",? "[A-Z]', source)) | set(re.findall(r'_(?:gauge|one)\(\s*"([a-z_]+)"', source))
    named = set(re.findall(r"invoiceapp_([a-z_]+)", TEXT))
    assert named and named <= told


def test_every_service_exists():
    units = {path.name.partition(".")[0] for path in (ROOT / "deploy" / "systemd").glob("invoiceapp*")}
    named = set(re.findall(r"(invoiceapp-[a-z]+@?)", TEXT))
    assert named <= units | {"invoiceapp-"}


def test_every_link_leads_somewhere():
    for page, anchor in re.findall(r"\]\(([^)#]*)(?:#([^)]*))?\)", TEXT):
        path = (ROOT / "docs" / page) if page else ROOT / "docs" / "operations.md"
        assert path.exists(), page
        if anchor:
            heads = re.findall(r"^#+ (.+)$", path.read_text(), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w -]", "", head).lower().replace(" ", "-") for head in heads}, anchor


def test_the_place_for_the_sizing_table_is_marked():
    assert TEXT.index("<!-- sizing -->") < TEXT.index("<!-- /sizing -->")


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_the_addresses_of_monitoring_answer(client, path):
    assert client.get(path).status_code in (200, 503)
