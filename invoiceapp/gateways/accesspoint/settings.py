"""What the settings say that more than a pattern is needed to read; each reader raises ``FieldInvalid``."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from invoiceapp.domain.fields import FieldInvalid
from invoiceapp.domain.findings import Text
from invoiceapp.domain.identifiers import Participant
from invoiceapp.gateways.http.settings import OWN_HEADERS, fixed_headers, form_fields

from .fields import FIELDS

_TOKEN = re.compile(r"\{([a-z_]*)\}")
#: What each template may hold.
TOKENS = {
    "submit_path": frozenset({"key", "sender_scheme", "sender", "receiver_scheme", "receiver"}),
    "status_path": frozenset({"id", "key"}),
    "lookup_path": frozenset({"scheme", "value"}),
    "find_path": frozenset({"key"}),
}
#: Without which one a template asks the same for every document.
_NEEDED = {
    "status_path": frozenset({"id", "key"}),
    "lookup_path": frozenset({"value"}),
    "find_path": frozenset({"key"}),
}
_DEFAULTS = {field.name: field.default for field in FIELDS}


def value_of(config: Mapping[str, Any], name: str) -> str:
    """A setting, or its default; empty where it has none."""
    return str(config.get(name) or _DEFAULTS[name] or "").strip()


def filled(template: str, values: Mapping[str, str], spell: Callable[[str], str] = str) -> str:
    """The template with ``values`` for its tokens, each as ``spell`` writes it. Values are not looked into for tokens."""

    def one(match: re.Match[str]) -> str:
        if not values[match[1]]:
            _refuse(f"{match[0]} mangler.", f"{match[0]} is missing.")
        return spell(values[match[1]])

    return _TOKEN.sub(one, template)


def template(name: str, raw: str) -> str:
    """A path template that stays below the base address. ``name``: its field."""
    held = set(_TOKEN.findall(raw))
    if not held <= TOKENS[name] or re.search(r"[{}]", _TOKEN.sub("", raw)):
        _refuse(
            f"Stien kan kun rumme {_listed(TOKENS[name])}.",
            f"The path can only hold {_listed(TOKENS[name])}.",
        )
    if name in _NEEDED and not held & _NEEDED[name]:
        _refuse(f"Stien skal rumme {_listed(_NEEDED[name])}.", f"The path must hold {_listed(_NEEDED[name])}.")
    _below(raw)
    return raw


def path(raw: str, values: Mapping[str, str]) -> str:
    """What follows the base address: begins with a slash, values quoted."""
    return "/" + _below(filled(raw, values, partial(quote, safe=""))).lstrip("/")


def _below(raw: str) -> str:
    """An address part that leads neither to another server nor up to another part of this one.

    Dot segments count however often they are quoted: clients and servers unquote and remove them (RFC 3986 5.2.4).
    """
    plain = raw.partition("?")[0]
    for _ in range(5):
        plain = unquote(plain)
    leaves = raw.startswith("//") or "://" in plain or "\\" in plain or {".", ".."} & set(plain.split("/"))
    if leaves or not re.fullmatch(r"[\x21-\x7e]*", raw) or "#" in raw:
        _refuse(
            "Skriv kun det, der følger efter adressen, f.eks. documents: ikke https://, mellemrum, # eller ../.",
            "Write only what follows the address, for example documents: no https://, blanks, # or ../.",
        )
    return raw


def _listed(tokens: frozenset[str]) -> str:
    return ", ".join(f"{{{token}}}" for token in sorted(tokens))


def _refuse(danish: str, english: str) -> None:
    raise FieldInvalid(Text(danish, english))


def schemes(raw: str) -> dict[str, str]:
    """The provider's names by scheme of the EAS list: ``0184=DK:CVR`` on each line."""
    return dict(form_fields(raw))


def words(raw: str) -> frozenset[str]:
    """Separated by commas; in small letters."""
    return frozenset(word.strip().lower() for word in raw.split(",") if word.strip())


def json_path(raw: str) -> tuple[str, ...]:
    """``data.id``."""
    steps = tuple(raw.split("."))
    if not all(steps):
        _refuse(
            "Skriv navnene med ét punktum imellem, f.eks. data.id.", "Write the names with one dot between, as data.id."
        )
    return steps


def _templates_of(raw: str, pairs: Callable[[str], Any]) -> None:
    """Lines of names and values whose tokens are those of the submission."""
    for text in dict(pairs(raw)).values():
        if not set(_TOKEN.findall(text)) <= TOKENS["submit_path"]:
            _refuse(
                f"Værdier kan kun rumme {_listed(TOKENS['submit_path'])}.",
                f"Values can only hold {_listed(TOKENS['submit_path'])}.",
            )


def _base(raw: str) -> None:
    if urlsplit(raw).query:
        _refuse(
            "Adressen kan ikke rumme »?«; det hører til i stierne.",
            "The address cannot hold “?”; it belongs in the paths.",
        )


_READERS: dict[str, Callable[[str], Any]] = {
    "base_url": _base,
    **{name: partial(template, name) for name in TOKENS},
    **dict.fromkeys(("id_path", "state_path", "reason_path", "lookup_answer", "webhook_id_path", "webhook_state_path"), json_path),
    "schemes": schemes,
    "headers": lambda raw: _templates_of(raw, fixed_headers),
    "form_fields": lambda raw: _templates_of(raw, form_fields),
}  # fmt: skip
#: What a choice cannot do without.
_NEEDS = {
    ("auth", "bearer"): ("token",),
    ("auth", "header"): ("auth_value",),
    ("auth", "basic"): ("username", "password"),
    ("repeats", "asked"): ("find_path",),
}
_MISSING = Text("Skal udfyldes.", "Must be filled in.")


def problems(config: Mapping[str, Any], secrets: frozenset[str]) -> dict[str, Text]:
    """Why a configuration cannot work, by field."""
    found = {
        name: _MISSING
        for (choice, value), names in _NEEDS.items()
        if value_of(config, choice) == value
        for name in names
        if not config.get(name) and name not in secrets
    }
    for name, read in _READERS.items():
        try:
            if config.get(name):
                read(str(config[name]))
        except FieldInvalid as error:
            found[name] = error.text
    return found or _clashes(config)


def _clashes(config: Mapping[str, Any]) -> dict[str, Text]:
    """Two settings that would write the same header, or one that is ours."""
    fixed = {name.lower() for name in fixed_headers(str(config.get("headers") or ""))}
    taken = fixed | OWN_HEADERS - {"idempotency-key"}
    found = {}
    names = ["key_header", *(["auth_header"] if value_of(config, "auth") == "header" else [])]
    for name in names:
        header = value_of(config, name)
        # Some providers want a key of another form there: "Authorization: ApiKey …".
        is_free = name == "auth_header" and header.lower() == "authorization" and "authorization" not in fixed
        if header.lower() in taken and not is_free:
            found[name] = Text(f"{header} bruges allerede.", f"{header} is already in use.")
        taken.add(header.lower())
    return found


def spoken(participant: Participant, config: Mapping[str, Any]) -> tuple[str, str]:
    """Scheme and value as this provider wants them."""
    return schemes(str(config.get("schemes") or "")).get(participant.scheme, participant.scheme), participant.value
