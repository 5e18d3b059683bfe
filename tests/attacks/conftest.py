"""One installation with two companies for all attacks of a theme."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from jinja2 import BytecodeCache
from support.tenants import House, house


@pytest.fixture(scope="package")
def whole(tmp_path_factory: pytest.TempPathFactory, compiled_templates: BytecodeCache) -> Iterator[House]:
    """For attacks that change nothing."""
    with house(tmp_path_factory.mktemp("house"), compiled_templates) as found:
        yield found


@pytest.fixture
def open_house(whole: House) -> Iterator[House]:
    """The same, where forms need no token: forging them is another theme. As new afterwards."""
    whole.app.config["WTF_CSRF_ENABLED"] = False
    yield whole
    whole.app.config["WTF_CSRF_ENABLED"] = True
    whole.fresh()
