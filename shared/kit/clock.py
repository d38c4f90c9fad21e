"""The injectable clock: `now()` is the time that deadlines are judged by, `sleep()` is real pacing of loops.

The two are apart on purpose: a replay that freezes or jumps the date must not freeze the courier.
"""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

from shared.kit.errors import RefnetError


class Clock(Protocol):
    """What every timer uses."""

    def now(self) -> datetime:
        """The current UTC time."""
        ...

    def real(self) -> datetime:
        """The time that the courier's own waits are judged by: it goes on where a replay holds the date."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Waits in real time."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def real(self) -> datetime:
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class FileClock:
    """Reads the time from a file that holds one RFC 3339 time: for demos, simulations and tests only."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.now()

    def now(self) -> datetime:
        try:
            moment = datetime.fromisoformat(self._path.read_text().strip())
        except (OSError, ValueError) as error:
            raise RefnetError(
                f"REFNET_CLOCK names {self._path}, which does not hold one RFC 3339 time; write one such as 2026-01-31T08:00:00Z."
            ) from error
        return moment.astimezone(UTC)

    def real(self) -> datetime:
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class ManualClock:
    """A clock that a test moves by hand; `sleep` only yields, so that loops stay live."""

    def __init__(self, start: datetime | None = None) -> None:
        self._now = start or datetime(2026, 1, 5, 8, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self._now

    def real(self) -> datetime:
        return self._now

    def advance(self, delta: timedelta) -> None:
        """Moves the time on."""
        self._now += delta

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(min(seconds, 0.01))
