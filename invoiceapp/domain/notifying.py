"""When somebody is told: rhythms, quiet hours, and the clock of their zone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

#: What happens within it is told in one mail, and what mends itself within it in none.
SETTLING = timedelta(minutes=2)


class Rhythm(StrEnum):
    """How soon."""

    NOW = "now"
    HOURLY = "hourly"
    DAILY = "daily"
    OFF = "off"
    """no mail; bad news stands in the inbox all the same"""


@dataclass(frozen=True, slots=True)
class Hours:
    """Somebody's day, on the clock of ``zone``."""

    zone: str = "Europe/Copenhagen"
    daily_at: time = time(7, 30)
    quiet_from: time | None = None
    quiet_until: time | None = None
    """Before ``quiet_from`` where the night is meant"""

    def mail_at(self, rhythm: Rhythm, now: datetime) -> datetime | None:
        """When to mail what is noticed ``now`` (aware); in UTC. None for never."""
        if rhythm is Rhythm.OFF:
            return None
        if rhythm is Rhythm.DAILY:
            return self.after_quiet(self._next(self.daily_at, now, folds=(0,)))
        if rhythm is Rhythm.HOURLY:
            # Of the clock: in UTC, so that an hour that comes twice is no trap.
            hour = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
            return self.after_quiet(hour + timedelta(hours=1))
        return self.after_quiet(now.astimezone(UTC) + SETTLING)

    def is_quiet(self, moment: datetime) -> bool:
        """Whether mails wait."""
        begin, end = self.quiet_from, self.quiet_until
        if begin is None or end is None or begin == end:
            return False
        local = moment.astimezone(ZoneInfo(self.zone)).time()
        return begin <= local < end if begin < end else local >= begin or local < end

    def after_quiet(self, moment: datetime) -> datetime:
        """The moment itself, or the end of the quiet hours that it lies in; in UTC."""
        if self.quiet_until is None or not self.is_quiet(moment):
            return moment.astimezone(UTC)
        return self._next(self.quiet_until, moment, folds=(0, 1))

    def _next(self, wanted: time, after: datetime, folds: tuple[int, ...]) -> datetime:
        """The first moment after it at which the clock shows ``wanted``; one that is left out in spring comes an hour later.

        ``folds``: which of the two counts in the hour that comes twice in autumn.
        """
        zone = ZoneInfo(self.zone)
        day = after.astimezone(zone).date()
        for _ in range(3):
            for fold in folds:
                # By way of UTC: arithmetic on local times would skip the change.
                found = datetime.combine(day, wanted.replace(fold=fold), zone).astimezone(UTC)
                if found > after:
                    return found
            day += timedelta(days=1)
        raise AssertionError("no clock shows a time less than once in two days")
