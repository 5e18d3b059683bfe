"""How gateways and sources are reached: what may be shown, and secrets, which are compared in clear and in memory only."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from invoiceapp.domain.fields import Field, counting
from invoiceapp.domain.findings import Text
from invoiceapp.gateways.base import Transport
from invoiceapp.services import secrets
from invoiceapp.services.secrets import SecretUnreadable

from .document import Connection
from .references import Secret
from .wording import Subject
from .work import Work


@dataclass(frozen=True, slots=True)
class Stored:
    """What a row holds of its connection."""

    context: str
    """For the encryption: ``gateway/<id>``"""
    config: dict[str, Any]
    secrets: dict[str, str]
    references: dict[str, dict[str, str]]


def connect(work: Work, subject: Subject, wanted: Connection, stored: Stored) -> Stored:
    """What the row shall hold; what did not change stays the same object, ciphertexts too."""
    old = {field.name: _or_default(stored.config, field) for field in wanted.fields if not field.secret}
    values = old if wanted.config is None else wanted.config
    config = stored.config
    if values != old or (wanted.config is not None and not stored.config):
        config = values
        for name in values:
            if values[name] != old[name]:
                work.change(subject, f"config.{name}", old[name], values[name])
    kept = secrets.kept_for(wanted.fields, old if stored.config else {}, values, stored.secrets)
    sealed = _seal(work, subject, wanted, stored, kept, counting(wanted.fields, values))
    references = {**stored.references, **{name: secret.reference for name, secret in wanted.secrets.items()}}
    for name, reference in references.items():
        if name in stored.references and stored.references[name] != reference:
            work.change(subject, f"secrets.{name}.from", _shown(stored.references[name]), _shown(reference))
    return Stored(stored.context, config, sealed, references if references != stored.references else stored.references)


def judge(wanted: Connection, transport: type[Transport], found: Stored) -> None:
    """Complain of what can never work together, as the page does: where each value by itself is good, and of what counts."""
    if not wanted.section.is_good:
        return
    values = {field.name: _or_default(found.config, field) for field in wanted.fields}
    counts = counting(wanted.fields, values)
    values |= {name: secret.value for name, secret in wanted.secrets.items() if secret.value}
    judged = {field.name: values[field.name] if field.name in counts else field.default for field in wanted.fields}
    for name, text in transport.problems(judged, counts & found.secrets.keys()).items():
        _complain(wanted, name, text)


def _or_default(config: Mapping[str, Any], field: Field) -> Any:
    value = config.get(field.name)
    return field.default if value is None else value


def _shown(reference: Mapping[str, str]) -> str:
    return ", ".join(f"{kind} {name}" for kind, name in reference.items())


def _seal(
    work: Work, subject: Subject, wanted: Connection, stored: Stored, kept: Mapping[str, str], counts: frozenset[str]
) -> dict[str, str]:  # fmt: skip
    sealed = dict(kept)
    for name, secret in wanted.secrets.items():
        if secret.value is None:
            _without_value(work, subject, wanted, name, secret, is_kept=name in kept)
        elif _is_same(stored, name, secret.value):
            sealed[name] = stored.secrets[name]
            work.secrets.append((subject, name, "same"))
        else:
            sealed[name] = secrets.encrypt(secret.value, f"{stored.context}/{name}")
            work.secrets.append((subject, name, "differs"))
            work.change(subject, f"secrets.{name}", None, "differs" if name in stored.secrets else "new")
    _complain_of_lost(wanted, counts & stored.secrets.keys(), sealed)
    for field in wanted.fields:
        # A source may wait for its credentials; a gateway without them could never send.
        if (
            field.secret
            and field.required
            and field.name in counts
            and field.name not in sealed | wanted.secrets
            and subject.gateway is not None
        ):
            missing = Text(f"»{field.label.da}« mangler.", f"“{field.label.en}” is missing.")
            _complain(wanted, field.name, missing)
    return sealed if sealed != stored.secrets else stored.secrets


def _is_same(stored: Stored, name: str, value: str) -> bool:
    if name not in stored.secrets:
        return False
    try:
        return secrets.decrypt(stored.secrets[name], f"{stored.context}/{name}") == value
    except SecretUnreadable:
        return False


def _without_value(
    work: Work, subject: Subject, wanted: Connection, name: str, secret: Secret, *, is_kept: bool
) -> None:  # fmt: skip
    problem = secret.problem or Text("Kan ikke læses.", "Cannot be read.")
    if not is_kept:
        _complain(wanted, name, problem)
        return
    work.secrets.append((subject, name, "cannot be read"))
    work.say(
        subject,
        Text(
            f"secrets.{name}: {problem.da} Den gemte hemmelighed beholdes.",
            f"secrets.{name}: {problem.en} The stored secret is kept.",
        ),
    )


def _complain_of_lost(wanted: Connection, needed: Collection[str], sealed: Mapping[str, str]) -> None:
    """``needed``: the stored ones that still count."""
    for name in sorted(needed):
        if name not in sealed and name not in wanted.secrets:
            moved = Text(
                "Adressen er ændret, så hemmeligheden skal angives igen.",
                "The address has changed, so the secret must be given again.",
            )
            _complain(wanted, name, moved)


def _complain(wanted: Connection, name: str, text: Text) -> None:
    """Of a field, where it stands or would stand."""
    is_secret = any(field.secret and field.name == name for field in wanted.fields)
    group = "secrets" if is_secret else "config"
    holder = wanted.section.section(group)
    if holder is not None:
        holder.complain(text, name)
    else:
        wanted.section.complain(text, f"{group}.{name}")
