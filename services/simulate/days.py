"""The days of a replay: what is to happen when, and the clock that all agencies read from one file. Nothing here sleeps through a
simulated hour: the clock goes on once everything of a moment is done.
"""

import asyncio
import heapq
import itertools
from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from shared.kit.errors import RefnetError

AT_ONCE = 12  # acts at the same time: enough for agencies to be busy, few enough that each is answered soon

Act = Callable[[], Coroutine[Any, Any, None]]


class Days:
    """A calendar of acts. `now` is the moment that the agencies' clock shows."""

    def __init__(self, clock: Path, begins: datetime) -> None:
        self._clock, self._order = clock, itertools.count()
        self._ahead: list[tuple[datetime, int, Act]] = []
        self.now = begins
        self.set_to(begins)

    def set_to(self, moment: datetime) -> None:
        """Puts the clock on. The file is replaced whole, because an agency may read it at any instant."""
        if moment < self.now:
            raise RefnetError("A replay's clock only goes on.")
        aside = self._clock.with_suffix(".new")
        aside.write_text(moment.isoformat())
        aside.replace(self._clock)
        self.now = moment

    def at(self, moment: datetime, act: Act) -> None:
        """Something is to happen at a moment; what lies before now happens now."""
        heapq.heappush(self._ahead, (max(moment, self.now), next(self._order), act))

    def after(self, span: timedelta, act: Act) -> None:
        """The same, some time from now."""
        self.at(self.now + span, act)

    async def run(self, until: datetime, each_day: Callable[[datetime], None]) -> None:
        """Lets everything happen that is due before `until`, then puts the clock there. `each_day` hears of each new day."""
        while self._ahead and self._ahead[0][0] <= until:
            moment = self._ahead[0][0]
            if moment.date() != self.now.date():
                each_day(moment)
            self.set_to(moment)
            await self._happen(moment)
        self.set_to(until)

    async def _happen(self, moment: datetime) -> None:
        """Everything of a moment, so many at once."""
        while self._ahead and self._ahead[0][0] <= moment:
            together: list[Act] = []
            while self._ahead and self._ahead[0][0] <= moment and len(together) < AT_ONCE:
                together.append(heapq.heappop(self._ahead)[2])
            await asyncio.gather(*(act() for act in together))
