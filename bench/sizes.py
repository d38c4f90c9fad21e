"""How much is measured: by default what fits into some ten minutes on two cores; BENCH_SIZE=full is what the promises name."""

import os
from dataclasses import dataclass

from shared.kit.errors import RefnetError

VARIABLE = "BENCH_SIZE"
CLIENTS = 16  # at the desk, at the same time: an office full of people, and enough to fill every commit of the database
RATE_PER_S = 50  # of the steady passes: ten times a national hotline's busiest hour
WARM_UPS = 64  # unmeasured referrals before each pass: connections, prepared statements and compiled queries settle
DEADLINE_S = 1_800.0  # of one pass; the largest (100,000 events) takes a third of it on a quiet machine


@dataclass(frozen=True, slots=True)
class Sizes:
    """Counts of one run. A pass of the raw pipe carries more, so that it too works for a second or more."""

    rounds: int
    referrals: int  # of a saturated pass of ours
    referrals_raw: int
    steady_s: int
    backlog: int  # events that a drain finds waiting
    backlog_raw: int
    small: int  # referrals of the small agency
    big: int  # and of the big one
    looks: int  # at each page of either
    starts: int  # of an agency's process
    outage_s: int  # that a recipient is stopped
    pages: int  # referrals of the agencies whose every page is looked at; 20,000 are what a district clinic sees in ten years


SIZES = {
    "quick": Sizes(1, 300, 4_000, 4, 1_500, 6_000, 1_000, 5_000, 60, 1, 12, 2_000),
    "default": Sizes(3, 1_000, 12_000, 15, 2_000, 20_000, 1_000, 50_000, 250, 3, 60, 20_000),
    "full": Sizes(5, 5_000, 30_000, 60, 100_000, 100_000, 1_000, 1_000_000, 1_000, 5, 60, 20_000),
}


def size_name() -> str:
    """What BENCH_SIZE says."""
    return os.environ.get(VARIABLE, "default")


def chosen() -> Sizes:
    """The sizes that BENCH_SIZE names; raises RefnetError."""
    name = size_name()
    if name not in SIZES:
        raise RefnetError(f"{VARIABLE} is '{name}'; set it to one of {', '.join(SIZES)}, or leave it out.")
    return SIZES[name]
