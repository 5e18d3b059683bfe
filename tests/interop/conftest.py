"""What an independent judge says of our documents: official packs, official suites, other engines and other readers.

``make interop`` installs the packs and a second engine, and names them in the
environment; without them these tests are skipped.
"""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path

import pytest

from invoiceapp.demo.billy.company import Company, demo_company
from invoiceapp.formats.validation.validator import Validator

FIXTURES = Path(__file__).resolve().parents[3] / "shared" / "fixtures"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("interop")


@pytest.fixture(scope="session")
def rules_dir() -> Path:
    folder = os.environ.get("TEST_RULES_DIR")
    if not folder:
        pytest.skip("no official rule packs: run make interop")
    return Path(folder)


@pytest.fixture(scope="session")
def official(rules_dir: Path) -> Validator:
    return Validator(rules_dir)


@pytest.fixture(scope="session")
def company() -> Company:
    return demo_company(date(2026, 11, 22))


@pytest.fixture(scope="session")
def saxon_jar() -> Path:
    """Saxon-HE for Java: another engine than the one that the product uses."""
    jar = os.environ.get("TEST_SAXON_JAR")
    if not jar:
        pytest.skip("no second engine: run make interop")
    return Path(jar)


@pytest.fixture(scope="session")
def fixtures() -> Path:
    """Official examples and rule suites, which are not part of this repository."""
    if not FIXTURES.is_dir():
        pytest.skip("the official suites are not at hand")
    return FIXTURES
