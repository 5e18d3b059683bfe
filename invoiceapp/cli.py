"""The command line. Others script against it: names, JSON keys and exit codes stay.

Exit codes of ``formats``: 0 fine, 2 unusable input, 3 fatal findings. No
command ends in a traceback.
"""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import click
from flask import Flask
from flask.cli import AppGroup

from invoiceapp.cli_archive import archive_group
from invoiceapp.cli_audit import audit_group
from invoiceapp.cli_backup import backup_group, export_records, restore_command, retention_group
from invoiceapp.cli_config import config_group
from invoiceapp.cli_evidence import evidence_group
from invoiceapp.cli_health import health_command
from invoiceapp.cli_output import plain_errors, print_json
from invoiceapp.cli_proof import proof_group
from invoiceapp.cli_rulepacks import rulepacks_group
from invoiceapp.cli_secrets import secrets_group
from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.domain.findings import Finding
from invoiceapp.formats.base import registry as formats
from invoiceapp.formats.validation.validator import detect
from invoiceapp.models import Adaptor
from invoiceapp.services import bundles
from invoiceapp.services.export import conversion, delivery, queries, runs
from invoiceapp.services.export.validators import validator
from invoiceapp.services.people import accounts
from invoiceapp.services.sign_in import account_links, account_mail, second_factors
from invoiceapp.sources.base import UnusableBundle

UNUSABLE = 2
BLOCKED = 3

formats_group = AppGroup("formats", help="Write and validate documents without the web app.")
runs_group = AppGroup("runs", help="Start exports.")
deliveries_group = AppGroup("deliveries", help="See what was sent.")
demo_group = AppGroup("demo", help="The demo company.")
users_group = AppGroup("users", help="The first user; later ones are invited.")


def init_app(app: Flask) -> None:
    """Add all groups to ``flask``."""
    for group in (
        audit_group,
        config_group, formats_group, rulepacks_group, runs_group, deliveries_group, demo_group, users_group, secrets_group,
        backup_group, restore_command, retention_group, export_records, archive_group, proof_group, evidence_group,
        health_command,
    ):  # fmt: skip
        app.cli.add_command(group)


@formats_group.command("list")
def formats_list() -> None:
    """All output formats, one a line: id and name."""
    for item in formats().values():
        click.echo(f"{item.id}\t{item.label.en}")


@formats_group.command("write")
@click.argument("format_id", metavar="FORMAT")
@click.argument("files", metavar="BUNDLE.json…", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="File to write; only with one bundle.")
@click.option(
    "--out-dir", type=click.Path(path_type=Path, file_okay=False), help="Folder; files are named as the bundles."
)
@plain_errors
def formats_write(format_id: str, files: tuple[Path, ...], out: Path | None, out_dir: Path | None) -> None:
    """Write BUNDLEs (one JSON object each, see docs/bundles.md) in FORMAT."""
    fmt = formats().get(format_id)
    if fmt is None:
        raise click.UsageError(f"unknown format {format_id!r}; see: flask formats list")
    if (out and out_dir) or (out_dir is None and len(files) > 1):
        raise click.UsageError("several bundles need --out-dir, one bundle --out or standard output")
    if len({path.stem for path in files}) < len(files):
        raise click.UsageError("two bundles have the same file name, so one result would overwrite the other")
    unusable, blocked = False, []
    for path in files:
        try:
            rendered = bundles.convert(bundles.read(path), fmt)
        except UnusableBundle as error:
            click.echo(f"{click.format_filename(path)}: {error.text.en}", err=True)
            unusable = True
            continue
        if not rendered.may_leave or rendered.content is None:
            blocked += [{"file": click.format_filename(path), **finding.to_dict()} for finding in rendered.findings]
            continue
        _write_out(rendered.content, out or (out_dir / f"{path.stem}.{fmt.extension}" if out_dir else None))
    if blocked:
        print_json(blocked, err=True)
    sys.exit(UNUSABLE if unusable else BLOCKED if blocked else 0)


def _write_out(content: bytes, path: Path | None) -> None:
    if path is None:
        sys.stdout.buffer.write(content)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


@formats_group.command("validate")
@click.argument("files", metavar="FILE…", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="A JSON list, one object a file.")
@plain_errors
def formats_validate(files: tuple[Path, ...], as_json: bool) -> None:
    """Validate UBL and CII FILEs (and PDFs that carry one) by XSD and the installed official rules."""
    results = [_validate(path) for path in files]
    if as_json:
        print_json(results)
    else:
        for result in results:
            _print_result(result)
    if any(result["unusable"] for result in results):
        sys.exit(UNUSABLE)
    sys.exit(0 if all(result["valid"] for result in results) else BLOCKED)


def _validate(path: Path) -> dict[str, Any]:
    result: dict[str, Any] = {
        "file": click.format_filename(path),
        "format": None,
        "valid": False,
        "unusable": False,
        "rule_sets": [],
        "missing": [],
    }
    try:
        content = path.read_bytes()
    except OSError as error:
        return {**result, "unusable": True, "findings": [], "error": f"cannot read: {error.strerror}"}
    found = detect(content, list(formats().values()))
    if isinstance(found, Finding):
        return {**result, "unusable": True, "findings": [found.to_dict()]}
    fmt, document_type = found
    report = validator().validate(content, fmt, document_type)
    return {
        **result,
        "format": fmt.id,
        "valid": not any(finding.is_fatal for finding in report.findings),
        "rule_sets": [f"{rule_set.name} {rule_set.version}" for rule_set in report.rule_sets],
        "missing": list(report.missing),
        "findings": [finding.to_dict() for finding in report.findings],
    }


def _print_result(result: dict[str, Any]) -> None:
    verdict = "valid" if result["valid"] else result.get("error", "not valid")
    click.echo(
        f"{result['file']}: {verdict} ({result['format'] or 'unknown format'}; {', '.join(result['rule_sets'])})"
    )
    for name in result["missing"]:
        click.echo(f"  not checked: the rule set {name} is not installed")
    for finding in result["findings"]:
        click.echo(f"  {finding['severity']} {finding['rule']}: {finding['text']['en']}")


def _stand_ins(adaptor: Adaptor) -> AbstractContextManager[object]:
    """The demo company's partners, where nobody else runs them; nothing for real companies."""
    if not queries.is_demo(adaptor):
        return nullcontext()
    from invoiceapp.demo import setup

    return setup.at_hand()


@runs_group.command("start")
@click.argument("adaptor")
@click.option("--wait", is_flag=True, help="Do the work in this process and return when it is done.")
@click.option("--json", "as_json", is_flag=True)
@plain_errors
def runs_start(adaptor: str, wait: bool, as_json: bool) -> None:
    """Export what is new. ADAPTOR is an id, a name, or the source's kind where only one adaptor has it."""
    found = queries.find_adaptor(adaptor)
    run_id = runs.start(found.id, trigger="command").id
    if wait:
        with _stand_ins(found):
            while runs.execute(run_id):
                pass
            while conversion.convert_due() or delivery.deliver_due():
                pass
    result = queries.run_summary(run_id)
    if as_json:
        print_json(result)
    else:
        click.echo("\n".join(f"{name}: {value}" for name, value in result.items()))
    sys.exit(1 if result["state"] == "failed" else 0)


@deliveries_group.command("list")
@click.option("--state", type=click.Choice([state.value for state in DeliveryState]))
@click.option("--json", "as_json", is_flag=True)
@plain_errors
def deliveries_list(state: str | None, as_json: bool) -> None:
    """All deliveries, newest first."""
    rows = queries.deliveries_as_json(DeliveryState(state) if state else None)
    if as_json:
        print_json(rows)
        return
    for row in rows:
        click.echo(
            "\t".join(str(row[key]) for key in ("document_no", "type", "customer", "format", "transport", "state"))
        )


@demo_group.command("create")
@plain_errors
def demo_create() -> None:
    """Create the demo company, or bring its addresses up to date; may be run again."""
    from invoiceapp.demo import setup  # the stand-ins are only needed here

    for line in setup.create():
        click.echo(line)


@users_group.command("create-admin")
@click.option("--company", prompt=True, help="Name of the company or accounting office.")
@click.option("--email", prompt=True)
@click.password_option(help="At least 12 characters.")
@plain_errors
def users_create_admin(company: str, email: str, password: str) -> None:
    """Make a company and the user who owns it."""
    accounts.create_owner(company, email, password)
    click.echo(f"{email} can sign in and owns {company}.")


@users_group.command("reset-link")
@click.argument("email")
@plain_errors
def users_reset_link(email: str) -> None:
    """A link for EMAIL to choose a new password, to be handed over. It works for 2 hours and once."""
    click.echo(account_links.reset_link(email))


@users_group.command("forget-second-factor")
@click.argument("email")
@plain_errors
def users_forget_second_factor(email: str) -> None:
    """Let EMAIL sign in by password alone: removes app, passkeys and recovery codes, and ends all sessions and API keys."""
    user = second_factors.forget_all(email)
    click.echo(f"{user.email} signs in by password alone now. Without a password: flask users reset-link {user.email}")
    if account_mail.is_possible():
        account_mail.send_notice(user.email, user.language, second_factors.FORGOTTEN)
