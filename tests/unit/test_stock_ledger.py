"""A ledger of products: any sequence of entries, whoever writes at once, adds up, and no batch ever falls below nought."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from agencies import World
from hypothesis import given, settings
from hypothesis import strategies as st

from services.police.dispensing.domain import Kind, count_is_due, dose_kind, since_band
from services.police.dispensing.tables import BoxEntry
from shared.casework.stock import commands as stock
from shared.casework.stock.domain import EntryKind, Lot, Moved, lots_of, same_parcel, signed, stock_out_days, usable, variance
from shared.contracts.casework.codes import CareProduct
from shared.kit.errors import Conflict
from shared.kit.ids import new_id

EC = CareProduct.EMERGENCY_CONTRACEPTION
LUSAKA = ZoneInfo("Africa/Lusaka")
NOON = datetime(2026, 1, 5, 10, tzinfo=UTC)
WRITTEN = st.lists(
    st.tuples(st.sampled_from(["A", "B"]), st.sampled_from(list(EntryKind)), st.integers(1, 5), st.booleans()), max_size=30
)


def kept(asked: list[tuple[str, EntryKind, int, bool]]) -> list[Moved]:
    """What of it a ledger takes: whatever would bring a batch below nought is refused."""
    taken: list[Moved] = []
    for batch, kind, quantity, is_less in asked:
        moves = signed(kind, -quantity if kind is EntryKind.CORRECTED and is_less else quantity)
        if sum(one.quantity for one in taken if one.batch == batch) + moves >= 0:
            taken.append(Moved(kind, moves, batch, date(2027, 1, 1), NOON))
    return taken


@given(WRITTEN)
@settings(max_examples=60, deadline=None)
def test_what_lies_there_is_the_sum_of_what_was_written_and_its_variance_from_itself_is_nought(asked: Any) -> None:
    taken = kept(asked)
    lots = lots_of(taken)
    assert all(lot.quantity >= 0 for lot in lots)
    assert sum(lot.quantity for lot in lots) == sum(one.quantity for one in taken)
    moved: dict[EntryKind, int] = {}
    for one in taken:
        moved[one.kind] = moved.get(one.kind, 0) + (one.quantity if one.kind is EntryKind.CORRECTED else abs(one.quantity))
    book = sum(lot.quantity for lot in lots) - moved.get(EntryKind.CORRECTED, 0)
    assert variance(0, moved, book) == 0
    assert variance(0, moved, book - 1) == 1  # one is missing


async def test_concurrent_entries_of_one_box_are_numbered_without_gaps_and_never_bring_it_below_nought(world: World) -> None:
    police = world["police"]

    async def write(kind: EntryKind, quantity: int) -> bool:
        change = stock.Change(EC, "A", date(2027, 1, 1), kind, quantity, police.database.clock.now())
        try:
            async with police.database.write() as tx:
                await stock.write(tx, BoxEntry, "ndola_central_vsu", change, new_id())
        except Conflict:
            return False
        return True

    assert await write(EntryKind.RECEIVED, 5)
    wanted = [(EntryKind.DISPENSED, 1)] * 7 + [(EntryKind.RETURNED, 2)]
    done = await asyncio.gather(*(write(*one) for one in wanted))
    async with police.database.read() as tx:
        rows = await stock.entries(tx, BoxEntry, "ndola_central_vsu")
    assert [row.number for row in rows] == list(range(1, len(rows) + 1))
    assert len(rows) == 1 + sum(done)
    assert all(after.balance == before.balance + after.quantity for before, after in pairwise(rows))
    assert min(row.balance for row in rows) >= 0
    assert rows[-1].balance == sum(row.quantity for row in rows) <= 1


def test_what_expires_first_is_taken_first_and_its_last_day_is_a_day() -> None:
    lots = [
        Lot(date(2026, 3, 1), "B", 2),
        Lot(date(2026, 1, 5), "A", 1),
        Lot(date(2026, 1, 4), "C", 9),
        Lot(date(2027, 1, 1), "D", 0),
    ]
    assert [lot.batch for lot in usable(lots, date(2026, 1, 5))] == ["A", "B"]
    assert [lot.expires_soon(date(2026, 1, 5)) for lot in lots] == [True, True, False, False]


def moved(day: int, quantity: int, expires_on: date = date(2027, 1, 1)) -> Moved:
    kind = EntryKind.RECEIVED if quantity > 0 else EntryKind.DISPENSED
    return Moved(kind, quantity, str(expires_on), expires_on, NOON + timedelta(days=day))


@pytest.mark.parametrize(
    ("entries", "days"),
    [
        ([], 0),
        ([moved(0, 2)], 0),
        ([moved(0, 2), moved(3, -2)], 7),  # the 8th to the 14th
        ([moved(0, 2), moved(3, -2), moved(5, 1)], 3),  # the 10th too: it was empty in the morning
        ([moved(0, 1, date(2026, 1, 7))], 7),  # expired: from the 8th on
        ([moved(-9, 1), moved(-8, -1)], 10),  # empty since the year before
    ],
)
def test_days_without_are_days_on_which_nothing_usable_lay_there_if_only_for_a_while(entries: list[Moved], days: int) -> None:
    assert stock_out_days(entries, date(2026, 1, 5), date(2026, 1, 15), LUSAKA) == days


def test_a_parcel_is_the_same_by_batch_and_day() -> None:
    one, two = {"batch": "A", "expires_on": "2027-01-01", "quantity": 3}, {"batch": "A", "expires_on": "2027-01-01", "quantity": 2}
    assert same_parcel([one, two], [{**one, "quantity": 5}])
    assert not same_parcel([one], [two])
    assert not same_parcel([one], [{**one, "expires_on": "2027-02-01"}])
    assert same_parcel([], [{**one, "quantity": 0}])


def test_which_dose_it_is_and_how_soon_it_came() -> None:
    hour = timedelta(hours=1)
    assert dose_kind([], NOON, vomited=True) is Kind.FIRST
    assert dose_kind([NOON], NOON + 3 * hour, vomited=True) is Kind.VOMITED
    assert dose_kind([NOON], NOON + 3 * hour + timedelta(seconds=1), vomited=True) is Kind.AGAIN
    assert dose_kind([NOON], NOON + hour, vomited=False) is Kind.AGAIN
    assert [since_band(NOON, NOON, NOON + n * hour) for n in (72, 73, 120, 121)] == ["72", "120", "120", "later"]
    assert since_band(None, None, NOON) == "unknown"


def test_a_count_is_due_after_each_shift_and_each_day_and_never_of_a_box_that_is_not_there() -> None:
    hour, day = timedelta(hours=1), timedelta(days=1)
    assert not count_is_due(None, NOON, None, NOON)
    assert count_is_due(None, None, NOON, NOON)
    assert not count_is_due(NOON, NOON - hour, NOON, NOON + hour)
    assert count_is_due(NOON, NOON + hour, NOON, NOON + 2 * hour)
    assert not count_is_due(NOON, None, NOON, NOON + day)
    assert count_is_due(NOON, None, NOON, NOON + day + timedelta(seconds=1))
