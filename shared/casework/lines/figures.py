"""What /metrics says, kept for a moment: nobody signs in there, and each look counts rows."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from shared.kit.clock import Clock

FIGURES_KEPT_S = 10  # a scrape comes each 15 s and always finds new ones; who asks more often costs the database nothing more


class Figures:
    """The last ones, and when they were counted. Whoever asks while they are counted waits for that count."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._counting = asyncio.Lock()
        self._kept: tuple[datetime, bytes] | None = None

    async def get(self, count: Callable[[], Awaitable[bytes]]) -> bytes:
        """The figures, counted anew where the kept ones are too old."""
        async with self._counting:
            now = self._clock.real()
            if self._kept is None or now - self._kept[0] >= timedelta(seconds=FIGURES_KEPT_S):
                self._kept = now, await count()
            return self._kept[1]
