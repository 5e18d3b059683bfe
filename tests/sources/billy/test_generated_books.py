"""The generator of Billy's records itself: it knows every setting, and most of what it makes converts."""

from __future__ import annotations

from hypothesis import HealthCheck, Phase, given, settings
from support.generated import bundles
from support.generated_books import SETTINGS

from invoiceapp.domain.settings import GROUPS, fields_of, settings_from
from invoiceapp.sources.billy.mapping import convert


def test_every_declared_setting_is_generated():
    declared = {group: {field.name for field in fields_of(group)} for group in GROUPS}
    assert {group: set(names) for group, names in SETTINGS.items()} == declared


def test_most_generated_books_convert_to_the_booked_gross():
    outcomes: list[tuple[str, ...]] = []

    @settings(
        max_examples=300, deadline=None, derandomize=True, database=None, phases=[Phase.generate],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )  # fmt: skip
    @given(bundles())
    def run(bundle):
        result = convert(bundle, settings_from(bundle["settings"]))
        outcomes.append(tuple(finding.rule for finding in result.findings if finding.is_fatal))
        if result.invoice is not None:
            assert result.invoice.totals.payable == abs(bundle["invoice"]["grossAmount"])

    run()
    assert len(outcomes) == 300
    assert sum(not fatal for fatal in outcomes) > 270
    assert {rule for fatal in outcomes for rule in fatal} <= {"IA-PAYMENT"}
