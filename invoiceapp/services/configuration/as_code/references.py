"""Secrets by reference: the file names an environment variable or a file, and never holds a secret itself.

Whoever writes the file also says which server a secret is sent to. So it reaches only what the operator has laid out
for it, variables with ``PREFIX`` and files in ``SECRETS_DIR``, and never the keys of the program itself.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from invoiceapp.current import config
from invoiceapp.domain.fields import Field, FieldInvalid, parse
from invoiceapp.domain.findings import Text

from .sections import Section

#: Bytes of a file that holds a secret.
LARGEST = 64 * 1024
#: Of all variables that a file may name. No setting of the program begins like this (``config.py``).
PREFIX = "INVOICEAPP_SECRET_"
_VARIABLE = Field(
    "env", Text("Miljøvariabel", "Environment variable"), pattern=PREFIX + r"[A-Za-z0-9_]{1,180}",
    help=Text(
        f"Navnet på en miljøvariabel, der begynder med {PREFIX}, f.eks. {PREFIX}SFTP_PASSWORD. Andre kan en fil ikke bruge.",
        f"The name of an environment variable that begins with {PREFIX}, e.g. {PREFIX}SFTP_PASSWORD. A file can use no others.",
    ),
)  # fmt: skip
_FILE = Field(
    "file", Text("Fil", "File"), pattern=r"/.{1,1000}",
    help=Text("En fuld sti, f.eks. /run/secrets/sftp.", "A full path, for example /run/secrets/sftp."),
)  # fmt: skip
#: Empty is no reference. The form is looked at here: whoever writes the secret itself there must not see it repeated.
_KINDS = (replace(_VARIABLE, required=True, pattern=None), replace(_FILE, required=True, pattern=None))
_SPELLED = {ord(letter): spelled for letter, spelled in zip("ÆØÅ", ("AE", "OE", "AA"), strict=True)}

Reference = dict[str, str]


class _Unreadable(Exception):
    def __init__(self, text: Text) -> None:
        super().__init__(text.en)
        self.text = text


@dataclass(frozen=True, slots=True)
class Secret:
    """What a file says of one secret, and what was found there."""

    reference: Reference
    value: str | None
    """In clear; None where it cannot be read"""
    problem: Text | None
    """Why not"""


def secrets_in(section: Section | None, fields: Iterable[Field]) -> dict[str, Secret]:
    """The secrets that a section refers to, by field name; looked up now, outside any transaction."""
    if section is None:
        return {}
    declared = {field.name: replace(field, required=False) for field in fields if field.secret}
    section.only(declared)
    found = {}
    for name, field in declared.items():
        reference = _reference(section, name) if name in section.entries else None
        if reference is None:
            continue
        try:
            value = parse(field, _look_up(reference))
            found[name] = Secret(reference, value, None if value else _missing(reference))
        except _Unreadable as error:
            found[name] = Secret(reference, None, error.text)
        except FieldInvalid as error:
            section.complain(error.text, name)
    return found


def _reference(section: Section, name: str) -> Reference | None:
    holder = section.section(name) if isinstance(section.entries[name].value, dict) else None
    values = holder.given(_KINDS) if holder else {}
    if holder is None or len(holder.entries) != 1 or set(holder.entries) - {"env", "file"}:
        section.complain(
            Text(
                "En hemmelighed står aldrig i filen. Skriv {env: NAVN} eller {file: /sti}.",
                "A secret never stands in the file. Write {env: NAME} or {file: /path}.",
            ),
            name,
        )
        return None
    for field in (_VARIABLE, _FILE):
        if values.get(field.name) and not re.fullmatch(field.pattern or "", values[field.name], re.ASCII):
            holder.complain(field.help or field.label, field.name)
            return None
    return {kind: str(value) for kind, value in values.items() if value} or None


def _missing(reference: Reference) -> Text:
    if "env" in reference:
        name = reference["env"]
        return Text(f"Miljøvariablen {name} er ikke sat.", f"The environment variable {name} is not set.")
    return Text(f"Filen {reference['file']} er tom.", f"The file {reference['file']} is empty.")


def _look_up(reference: Reference) -> str:
    """The secret in clear, "" where it is empty. Raises ``_Unreadable``."""
    if "env" in reference:
        return _storable(os.environ.get(reference["env"], ""), reference["env"])
    path = reference["file"]
    try:
        content = _content(path)
        return _storable(content.decode().removesuffix("\n").removesuffix("\r"), path)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise _Unreadable(
            Text(f"Filen {path} kan ikke læses: {reason}.", f"The file {path} cannot be read: {reason}.")
        ) from error
    except UnicodeDecodeError as error:
        raise _Unreadable(Text(f"Filen {path} er ikke UTF-8.", f"The file {path} is not UTF-8.")) from error


def _storable(value: str, name: str) -> str:
    """Environment variables may hold bytes that are no text."""
    if "\x00" in value or re.search("[\ud800-\udfff]", value):
        raise _Unreadable(Text(f"{name} rummer tegn, der ikke er tekst.", f"{name} holds characters that are no text."))
    return value


def _content(path: str) -> bytes:
    # Without blocking: opening a pipe would wait for ever for whoever writes to it. The resolved path, and no link
    # that was put there since.
    descriptor = os.open(_allowed(path), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise _Unreadable(Text(f"{path} er ikke en almindelig fil.", f"{path} is not a regular file."))
        if any(os.path.samestat(found, own.stat()) for own in config().own_files if own.exists()):
            raise _Unreadable(
                Text(
                    f"{path} hører til programmets egne indstillinger og kan ikke bruges her.",
                    f"{path} belongs to the settings of the program itself and cannot be used here.",
                )
            )
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            content = file.read(LARGEST + 1)
    finally:
        os.close(descriptor)
    if len(content) > LARGEST:
        raise _Unreadable(Text(f"Filen {path} er over 64 KiB.", f"The file {path} is larger than 64 KiB."))
    return content


def _allowed(path: str) -> Path:
    """The file itself, behind all links. Raises ``_Unreadable`` outside ``SECRETS_DIR``, whether it exists or not."""
    folder = config().secrets_dir
    try:
        found = Path(path).resolve()
    except (ValueError, RuntimeError):
        found = Path("/")  # no path at all, or links in a circle
    if not found.is_relative_to(folder.resolve()):
        raise _Unreadable(
            Text(
                f"Filen {path} ligger ikke i {folder}. Kun filer dér kan bruges (indstillingen SECRETS_DIR).",
                f"The file {path} does not lie in {folder}. Only files there can be used (the setting SECRETS_DIR).",
            )
        )
    return found


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose secrets are to be named: a gateway or an adaptor with its stored secrets."""

    kind: str
    name: str
    stored: Mapping[str, str]
    references: Mapping[str, Reference]


def references_of(owners: Iterable[Owner]) -> dict[tuple[str, str], dict[str, Reference]]:
    """By kind and name the reference of each stored secret: what is kept and still allowed, else a name made of the owner's.

    Names that two owners would share get an ending of their own.
    """
    wanted = {
        (owner.kind, owner.name, field): _still_allowed(owner.references.get(field))
        for owner in owners
        for field in sorted(owner.stored)
    }
    made = {key: _variable(key[1], key[2]) for key, kept in wanted.items() if not kept}
    shared = Counter(made.values())
    found: dict[tuple[str, str], dict[str, Reference]] = {}
    for key, kept in wanted.items():
        kind, name, field = key
        if not kept:
            ending = hashlib.sha256(f"{kind}/{name}".encode()).hexdigest()[:6].upper()
            kept = {"env": made[key] if shared[made[key]] == 1 else f"{made[key]}_{ending}"}
        found.setdefault((kind, name), {})[field] = kept
    return found


def _still_allowed(kept: Reference | None) -> Reference | None:
    is_refused = kept and "env" in kept and not re.fullmatch(_VARIABLE.pattern or "", kept["env"], re.ASCII)
    return None if is_refused else kept


def _variable(owner: str, field: str) -> str:
    """``INVOICEAPP_SECRET_NEMHANDEL_POSTKASSE_SFTP_PASSWORD``."""
    spelled = re.sub(r"[^A-Z0-9]+", "_", owner.upper().translate(_SPELLED)).strip("_")[:100]
    return PREFIX + "_".join(part for part in (spelled, field.upper()) if part)
