"""Whoever was offered a product several times for one incident counts once; in time is what the programme's window says."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.police.dispensing.domain import Kind, Outcome
from services.police.dispensing.figures import Offer, decisive
from shared.contracts.casework.codes import CareClock, CareProduct
from shared.programmes.profile import Programme, load_programme

T = datetime(2026, 1, 5, 20, tzinfo=UTC)
ZAMBIA = load_programme("zm-vsu-ec")


def offer(outcome: Outcome, hours: float = 0, incident: int = 1, kind: Kind = Kind.FIRST, **more: CareProduct) -> Offer:
    """So many hours after it happened."""
    product = more.get("product", CareProduct.EMERGENCY_CONTRACEPTION)
    said: dict[str, Any] = {"product": product, "outcome": outcome, **({"kind": kind} if outcome is Outcome.GIVEN else {})}
    return Offer(UUID(int=incident), "station", said, T + timedelta(hours=hours), T)


def with_window(clock: CareClock, hours: float | None) -> Programme:
    window = ZAMBIA.windows[clock].model_copy(update={"hours": hours})
    return ZAMBIA.model_copy(update={"windows": {**ZAMBIA.windows, clock: window}})


@pytest.mark.parametrize("before", [Outcome.NONE_HERE, Outcome.DECLINED])
def test_the_first_dose_decides_whatever_was_offered_before_and_after(before: Outcome) -> None:
    evening, morning = offer(before, 1), offer(Outcome.GIVEN, 12)
    assert decisive([evening, morning, offer(Outcome.DECLINED, 20)]) == [morning]
    assert decisive([evening, offer(Outcome.NONE_HERE, 12)]) == [offer(Outcome.NONE_HERE, 12)]
    assert decisive([evening, offer(before, 1, incident=2)]) == [evening, offer(before, 1, incident=2)]


@given(st.lists(st.tuples(st.sampled_from(Outcome), st.integers(0, 90), st.integers(1, 3), st.sampled_from(Kind)), max_size=12))
def test_nobody_is_in_time_who_is_not_among_those_who_could_be(told: list[tuple[Outcome, int, int, Kind]]) -> None:
    offers = [offer(outcome, hours, incident, kind) for outcome, hours, incident, kind in told]
    found = decisive(offers)
    assert len({one.incident_id for one in found}) == len(found)
    assert sum(one.is_in_time(ZAMBIA) for one in found) == len({one.incident_id for one in offers if one.is_first_dose})


def test_in_time_is_within_the_programmes_window_of_the_product() -> None:
    stricter = with_window(CareClock.EMERGENCY_CONTRACEPTION, 72)
    late = offer(Outcome.GIVEN, 100)
    assert (late.is_in_time(ZAMBIA), late.is_in_time(stricter)) == (True, False)
    assert [offer(Outcome.GIVEN, hours).is_in_time(ZAMBIA) for hours in (120, 120.01)] == [True, False]
    assert not late.is_in_time(with_window(CareClock.EMERGENCY_CONTRACEPTION, None))
    assert not offer(Outcome.GIVEN, 100, product=CareProduct.PEP_STARTER).is_in_time(ZAMBIA)
    assert not offer(Outcome.GIVEN, 1, kind=Kind.AGAIN).is_in_time(ZAMBIA)
