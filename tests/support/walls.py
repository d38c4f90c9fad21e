"""A clock on an agency's wall that runs, and that somebody sets while it does: what REFNET_CLOCK=file: reads."""

import contextlib
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

HAND_S = 0.05  # the clock's hand moves this often


class Wall:
    """So far ahead of this machine's clock, or behind it."""

    def __init__(self, file: Path, ahead: timedelta = timedelta(0)) -> None:
        self.file = file
        self._done, self._turn = threading.Event(), threading.Lock()
        self.stand(ahead)

    @property
    def environment(self) -> dict[str, str]:
        """What an agency's processes are given to go by it."""
        return {"REFNET_CLOCK": f"file:{self.file}"}

    def now(self) -> datetime:
        """What it shows."""
        return datetime.now(UTC) + self._ahead

    def stand(self, ahead: timedelta) -> None:
        """Is so far ahead from now on: whoever looks after this sees it."""
        with self._turn:
            self._ahead = ahead
            self._show()

    def step(self, by: timedelta) -> None:
        """Somebody moves the hands."""
        self.stand(self._ahead + by)

    def set(self, at: datetime) -> None:
        """Shows this time, and runs on from there."""
        self.stand(at - datetime.now(UTC))

    def _show(self) -> None:
        fresh = self.file.with_suffix(".new")
        fresh.write_text(self.now().isoformat())
        fresh.replace(self.file)

    def _run(self) -> None:
        while not self._done.wait(HAND_S):
            with self._turn:
                self._show()

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Its hand moves meanwhile."""
        hand = threading.Thread(target=self._run)
        hand.start()
        try:
            yield
        finally:
            self._done.set()
            hand.join()
