"""Fixtures that keep what every test would compile anew: each has an app, a database and a folder of rules of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask_sqlalchemy import SQLAlchemy
from jinja2 import BytecodeCache, FileSystemBytecodeCache
from sqlalchemy import Engine
from werkzeug.routing import Rule

from invoiceapp.formats.validation.validator import Validator
from invoiceapp.services.export import validators


@pytest.fixture(scope="session", autouse=True)
def compiled_statements() -> Iterator[None]:
    """Statements become SQL once for each kind of database: a fifth of a test's time.

    SQLAlchemy keeps them by dialect and statement, and each engine has a dialect of its own, although all are alike.
    """
    first: dict[str, Engine] = {}
    make_anew = SQLAlchemy._make_engine

    def make_alike(self: SQLAlchemy, *arguments: Any) -> Engine:
        engine = make_anew(self, *arguments)
        alike = first.get(engine.url.drivername)
        if alike is None or alike.dialect.server_version_info is None:
            # A dialect learns about its server when its own engine connects for the first time.
            first[engine.url.drivername] = engine
        else:
            engine.dialect, engine._compiled_cache = alike.dialect, alike._compiled_cache
        return engine

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SQLAlchemy, "_make_engine", make_alike)
        yield


@pytest.fixture(scope="session", autouse=True)
def compiled_addresses() -> Iterator[None]:
    """Werkzeug compiles two functions and an expression for each of an app's rules: most of what an app costs.

    All of them depend on the rule's words only, so the next app takes the same ones.
    """
    compiled: dict[Any, tuple[dict[str, Any], Any, Any]] = {}
    compile_anew = Rule.compile

    def compile_once(rule: Rule) -> None:
        key = (rule.rule, rule.subdomain, rule.host, rule.merge_slashes, repr(rule.defaults))
        if key not in compiled:
            compile_anew(rule)
            found = {name: getattr(rule, name) for name in ("_parts", "_trace", "_converters", "arguments")}
            compiled[key] = found, rule._build.__func__, rule._build_unknown.__func__
            return
        found, build, build_unknown = compiled[key]
        vars(rule).update(found, _build=build.__get__(rule), _build_unknown=build_unknown.__get__(rule))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Rule, "compile", compile_once)
        yield


@pytest.fixture(scope="session", autouse=True)
def compiled_rules() -> Iterator[None]:
    """Each test has a folder of rules of its own, mostly an empty one: then the same bundled rules, compiled once."""
    bundled = Validator(None, today=lambda: validators.today())
    own = validators._validator

    def shared(rules_dir: Path) -> Validator:
        return own(rules_dir) if rules_dir.is_dir() and any(rules_dir.iterdir()) else bundled

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(validators, "_validator", shared)
        yield


@pytest.fixture(scope="session")
def compiled_templates(tmp_path_factory: pytest.TempPathFactory) -> BytecodeCache:
    """Each test has an app of its own, and compiling its templates anew takes half of a page's time."""
    return FileSystemBytecodeCache(str(tmp_path_factory.mktemp("templates")))
