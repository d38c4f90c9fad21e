"""What both pipes carry, how much of it, and where a pass ends: the same for the exchange and for its raw limit."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from shared.contracts.publish import SAMPLES as PUBLISHED_SAMPLES
from shared.exchange.broker import BATCH_RECORDS
from shared.kit.errors import RefnetError

EVENTS = 10_000  # of one throughput pass: twenty full batches, so that the raw pipe too works for most of a second
SUBJECTS = 1_000  # referrals that the events are about, in turn: each tells ten things, and a batch touches each once
BATCH = BATCH_RECORDS  # rows of one transaction, in both pipes alike
LATENCY_SAMPLES = 200  # of one latency pass: enough for a steady median
WARM_UPS = 20  # unmeasured events before them: connections, prepared statements and compiled queries settle
PAUSE_S = 0.02  # after each sample: the tail of one event (marks, offsets) must not lie in the next one's way
LINGER_MS = 1  # the Courier's own; the raw producer waits no less and no longer
RAW_BATCH_BYTES = 512 * 1024  # 500 rows in one request; aiokafka's 16 KB would make it many, and the limit less than it is
FETCH_WAIT_MS = 50  # the Receiver's own wait for a batch
DEADLINE_S = 90.0  # of one pass; ten times what a slow machine needs
DATA_TYPE = "referral.issued"  # the largest event that is common
RARE_FIELDS = frozenset({"child", "dependants", "given", "report_form", "travel", "relay", "windows"})  # not in most referrals


class Unmeasured(RefnetError):
    """A pass did not do what it was to measure, so there is no figure; the message is one sentence."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where one pass runs: a broker, and a database of its own at either end."""

    kafka: str
    source_url: str
    target_url: str


def referral_data() -> dict[str, Any]:
    """The data of an ordinary referral, about 600 bytes of JSON: the published sample without what is rare."""
    sample = json.loads((PUBLISHED_SAMPLES / f"{DATA_TYPE}.v1.json").read_text())
    return {name: value for name, value in sample["data"].items() if name not in RARE_FIELDS}


def expect(what: str, found: int, wanted: int) -> None:
    """A pass that lost or doubled something gives no figure; raises Unmeasured."""
    if found != wanted:
        raise Unmeasured(f"{what}: {found} instead of {wanted}, so this pass measures nothing.")


class Arrivals:
    """Counts what was applied at the far end, and remembers when the last one was."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self.count = 0
        self.last_at = 0.0

    def note(self, count: int = 1) -> None:
        """Called after a commit."""
        self.count += count
        self.last_at = self._now()
