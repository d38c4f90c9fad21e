"""Rules of a ledger of products: pure, of numbers and days. An entry is never changed; what was wrong is put right by another."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

EXPIRES_SOON = timedelta(days=60)  # assumption: time to use it up, or to ask for more
DAY = timedelta(days=1)


class EntryKind(StrEnum):
    """Why the number of doses changed."""

    RECEIVED = "received"
    DISPENSED = "dispensed"  # given from a box
    ISSUED = "issued"  # handed to a station
    RETURNED = "returned"  # to whoever supplied it
    DESTROYED = "destroyed"
    CORRECTED = "corrected"  # an entry before it was wrong, or two counted otherwise


# What people write; a dose is written by giving it, and what is issued answers a request.
BY_HAND = (EntryKind.RECEIVED, EntryKind.RETURNED, EntryKind.DESTROYED, EntryKind.CORRECTED)
COMES_IN = frozenset({EntryKind.RECEIVED})
GOES_OUT = frozenset({EntryKind.DISPENSED, EntryKind.ISSUED, EntryKind.RETURNED, EntryKind.DESTROYED})


class CorrectionReason(StrEnum):
    """Why an entry of another kind was wrong, or the book is put to what was counted."""

    MISTYPED = "mistyped"  # the book has more than it should
    TOO_FEW = "too_few"  # mistyped, and the book has less
    COUNTED_LESS = "counted_less"
    COUNTED_MORE = "counted_more"
    BROKEN = "broken"


OF_AN_ENTRY = frozenset({CorrectionReason.MISTYPED, CorrectionReason.TOO_FEW})  # what it puts right was never in the box, or was


@dataclass(frozen=True, slots=True, order=True)
class Lot:
    """Doses of one batch of a product; ordered by what expires first."""

    expires_on: date
    batch: str
    quantity: int = 0

    def is_expired(self, on: date) -> bool:
        """Whether it may no longer be given: the day of expiry is its last."""
        return on > self.expires_on

    def expires_soon(self, on: date) -> bool:
        """Whether it shall be used up, or replaced, first."""
        return not self.is_expired(on) and self.expires_on - on <= EXPIRES_SOON


def usable(lots: Iterable[Lot], on: date) -> list[Lot]:
    """Lots that may be given on a day, what expires first first."""
    return sorted(lot for lot in lots if lot.quantity > 0 and not lot.is_expired(on))


def signed(kind: EntryKind, quantity: int) -> int:
    """By how many doses an entry of a kind changes its batch. `quantity` is how many it is about, more than 0; of a correction it
    is signed itself."""
    if kind is EntryKind.CORRECTED:
        return quantity
    return quantity if kind in COMES_IN else -quantity


@dataclass(frozen=True, slots=True)
class Moved:
    """One entry, as far as sums need it. `at` is when it was written down: a month's sums never change afterwards."""

    kind: EntryKind
    quantity: int  # signed
    batch: str
    expires_on: date
    at: datetime


def lots_of(entries: Iterable[Moved]) -> list[Lot]:
    """What lies there after these entries, by batch, empty ones too."""
    sums: Counter[tuple[date, str]] = Counter()
    for entry in entries:
        sums[entry.expires_on, entry.batch] += entry.quantity
    return sorted(Lot(expires_on, batch, quantity) for (expires_on, batch), quantity in sums.items())


def same_parcel(sent: Iterable[Mapping[str, Any]], received: Iterable[Mapping[str, Any]]) -> bool:
    """Whether what came is what was sent, by batch and day of expiry, as each is kept."""

    def by_batch(batches: Iterable[Mapping[str, Any]]) -> Counter[tuple[str, str]]:
        found: Counter[tuple[str, str]] = Counter()
        for one in batches:
            found[one["batch"], one["expires_on"]] += one["quantity"]
        return +found

    return by_batch(sent) == by_batch(received)


def variance(opening: int, moved: Mapping[EntryKind, int], counted: int) -> int:
    """Doses that the book has and the box has not; less than 0 where the box has more. `moved` sums each kind without its sign.

    opening + received − dispensed − counted (domain guide, section 5), with what was destroyed, returned or issued taken off too.
    """
    return opening + moved.get(EntryKind.RECEIVED, 0) - sum(moved.get(kind, 0) for kind in GOES_OUT) - counted


@dataclass(frozen=True, slots=True)
class Written:
    """One entry, as far as what lies between two counts needs it. `rights`: the number of the entry that it puts right."""

    number: int
    kind: EntryKind
    quantity: int  # signed
    reason: str | None = None
    rights: int | None = None


def put_right(entries: Iterable[Written]) -> list[Written]:
    """The entries as they should have been written: what puts another right stands where that one does, as a part of it, so that a
    slip of the pen is no loss, whichever count lies between the two. What broke went out. Both lines stay in the book."""
    book = {one.number: one for one in entries}

    def root(one: Written) -> Written:
        wrong = book.get(one.rights) if one.rights is not None and one.rights < one.number else None
        return one if wrong is None else root(wrong)

    found = []
    for one in book.values():
        meant = root(one)
        kind = EntryKind.DESTROYED if meant.reason == CorrectionReason.BROKEN else meant.kind
        found.append(Written(meant.number, kind, one.quantity))
    return found


def summed(entries: Iterable[Written]) -> dict[EntryKind, int]:
    """Each kind without its sign; a correction has it."""
    found: Counter[EntryKind] = Counter()
    for one in entries:
        found[one.kind] += -one.quantity if one.kind in GOES_OUT else one.quantity
    return dict(found)


def stock_out_days(entries: Sequence[Moved], first: date, until: date, zone: ZoneInfo) -> int:
    """On how many days of a period nothing usable lay there, if only for a while. `entries` are all there ever were, oldest first;
    days before the first one are none: there was no box yet."""
    if not entries:
        return 0
    begun = entries[0].at.astimezone(zone).date()
    held: Counter[tuple[date, str]] = Counter()
    count, place = 0, 0
    for n in range((until - begun).days):
        day = begun + n * DAY
        was_empty = day > begun and not _has_any(held, day)
        while place < len(entries) and entries[place].at.astimezone(zone).date() == day:
            held[entries[place].expires_on, entries[place].batch] += entries[place].quantity
            place += 1
            was_empty |= not _has_any(held, day)
        count += was_empty and first <= day
    return count


def _has_any(held: Mapping[tuple[date, str], int], on: date) -> bool:
    return any(quantity > 0 and on <= expires_on for (expires_on, _batch), quantity in held.items())
