"""The chain of custody of one sample, as its entries make it by their own times: where it is, and where the chain has a gap."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Kind(StrEnum):
    """What was collected. It is written on no list and told to nobody."""

    SWAB = "swab"
    BLOOD = "blood"
    URINE = "urine"
    CLOTHING = "clothing"
    OTHER = "other"


class Act(StrEnum):
    """What happens to a sample."""

    COLLECTED = "collected"
    SEALED = "sealed"
    STORED = "stored"
    HANDED_OVER = "handed_over"
    RETURNED = "returned"  # to her
    DESTROYED = "destroyed"


class Why(StrEnum):
    """The rule by which a sample is returned or destroyed; no other way is written down."""

    SHE_ASKS = "she_asks"
    TIME_PASSED = "time_passed"
    COURT_ORDER = "court_order"


_RANK = {act: rank for rank, act in enumerate(Act)}  # of entries at one moment: as the way goes
ENDS = frozenset({Act.RETURNED, Act.DESTROYED})


class Gap(StrEnum):
    """Where the chain is broken, because an entry is missing, its time is wrong, or it was broken. It is shown and counted."""

    NOT_COLLECTED = "not_collected"
    NOT_SEALED = "not_sealed"
    SEAL_DIFFERS = "seal_differs"
    HOLDER_DIFFERS = "holder_differs"
    AFTER_THE_END = "after_the_end"


@dataclass(frozen=True, slots=True)
class Link:
    """One entry. `post` had it, or has it now; `other_post` took it over; `seal` as it was read then."""

    act: Act
    occurred_at: datetime
    post: str
    other_post: str | None = None
    seal: str | None = None


@dataclass(frozen=True, slots=True)
class Chain:
    """What the entries come to."""

    state: Act | None
    holder: str | None
    seal: str | None
    gaps: frozenset[Gap]


def chain(links: Iterable[Link]) -> Chain:
    """The chain, whatever order its entries were typed in. A total function: what does not fit is named, never refused."""
    ordered = sorted(set(links), key=lambda one: (one.occurred_at, _RANK[one.act], one.post, one.other_post or "", one.seal or ""))
    state: Act | None = None
    holder: str | None = None
    seal: str | None = None
    gaps: set[Gap] = set()
    for one in ordered:
        gaps |= _breaks(one, state, holder, seal)
        if one.act is Act.SEALED:
            seal = one.seal
        state = one.act if state not in ENDS else state
        holder = None if one.act in ENDS else one.other_post or one.post
    return Chain(state, None if state in ENDS else holder, seal, frozenset(gaps))


def _breaks(one: Link, state: Act | None, holder: str | None, seal: str | None) -> set[Gap]:
    gaps = set()
    if state is None and one.act is not Act.COLLECTED:
        gaps.add(Gap.NOT_COLLECTED)
    if state in ENDS:
        gaps.add(Gap.AFTER_THE_END)
    if one.act is Act.HANDED_OVER and seal is None:
        gaps.add(Gap.NOT_SEALED)
    if one.act is not Act.SEALED and one.seal is not None and one.seal != seal:
        gaps.add(Gap.SEAL_DIFFERS)
    if holder is not None and one.post != holder:
        gaps.add(Gap.HOLDER_DIFFERS)
    return gaps
