"""The roster through the API: a week at once, all or none, by whoever looks after the place."""

from datetime import timedelta
from typing import Any

import pytest
from agencies import Desk, Refused, World

from shared.casework.accounts.commands import find_account
from shared.casework.accounts.rosters import DUTIES_MAX
from shared.contracts.casework.codes import Role

HERE, ELSEWHERE, POST = "ndola_central_vsu", "masaiti_vsu", "duty_officer"


@pytest.fixture
async def officer_id(world: World) -> str:
    await world["police"].sign_in("officer-1", Role.OFFICER, HERE)
    async with world["police"].database.read() as tx:
        return str((await find_account(tx, "officer-1")).id)


def week(world: World, account_id: str, **change: Any) -> list[dict[str, Any]]:
    """Seven days, each of a day and a night."""
    begins = [world.clock.now() + timedelta(days=turn) for turn in range(7)]
    return [
        {"facility": HERE, "post": POST, "account_id": account_id, "from_at": at.isoformat(),
         "until_at": (at + timedelta(hours=24)).isoformat(), **change}
        for at in begins
    ]  # fmt: skip


async def status_of(asking: Any) -> int:
    with pytest.raises(Refused) as found:
        await asking
    return found.value.status


async def supervisor(world: World, place: str | None = None) -> Desk:
    return await world["police"].sign_in(f"supervisor-{place}", Role.SUPERVISOR, place)


async def test_a_week_is_put_on_the_roster_and_read_in_order(world: World, officer_id: str) -> None:
    by = await supervisor(world)
    made = (await by.post("/duties", {"duties": week(world, officer_id)}))["items"]
    assert [one["post"] for one in made] == [POST] * 7
    listed = (await by.get(f"/duties?facility={HERE}"))["items"]
    assert [one["id"] for one in listed] == [one["id"] for one in made]
    assert (await by.get(f"/duties?facility={ELSEWHERE}"))["items"] == []


async def test_all_or_none(world: World, officer_id: str) -> None:
    by = await supervisor(world)
    wrong = [*week(world, officer_id)[:6], *week(world, officer_id, post="nobody")[6:]]
    assert await status_of(by.post("/duties", {"duties": wrong})) == 409
    assert (await by.get(f"/duties?facility={HERE}"))["items"] == []
    assert await status_of(by.post("/duties", {"duties": []})) == 422
    many = week(world, officer_id)[:1] * (DUTIES_MAX + 1)
    assert await status_of(by.post("/duties", {"duties": many})) == 422


async def test_only_whoever_looks_after_the_place_keeps_or_reads_it(world: World, officer_id: str) -> None:
    duties = {"duties": week(world, officer_id)}
    officer, other = await world["police"].sign_in("officer-2", Role.OFFICER, HERE), await supervisor(world, ELSEWHERE)
    assert await status_of(officer.post("/duties", duties)) == 403
    assert await status_of(officer.get(f"/duties?facility={HERE}")) == 403
    assert await status_of(other.post("/duties", duties)) == 404
    assert await status_of(other.get(f"/duties?facility={HERE}")) == 404
    assert (await (await supervisor(world, HERE)).post("/duties", duties))["items"]
