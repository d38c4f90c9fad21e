"""A yes is for something: it lets be asked and told what that covers, and one for something else neither narrows nor widens it."""

from typing import Any

import pytest
from agencies import Desk, Refused, World, consent, open_case, refer
from sqlalchemy import select
from sqlmodel import col

from shared.casework.referrals.tables import Referral
from shared.contracts.casework.codes import ConsentItem

EVERYTHING = [str(item) for item in ConsentItem if item is not ConsentItem.REQ]
on_sqlite = pytest.mark.parametrize("world", ["sqlite"], indirect=True)


async def sent(world: World) -> list[Referral]:
    async with world["police"].database.read() as tx:
        return list((await tx.session.execute(select(Referral).order_by(col(Referral.id)))).scalars())


async def refused(desk: Desk, case: str, incident: str, **more: Any) -> tuple[int, str]:
    with pytest.raises(Refused) as error:
        await refer(desk, case, incident, "health", **more)
    return error.value.status, error.value.problem["detail"]


async def test_a_yes_for_something_else_asks_for_no_care(world: World) -> None:
    desk = await world["police"].sign_in("desk")
    case, incident = await open_case(desk)
    await consent(desk, case, "health", *EVERYTHING, purpose="statistics")
    status, said = await refused(desk, case, incident)
    assert (status, "no consent in force" in said) == (422, True)
    court = await consent(desk, case, "health", *EVERYTHING, purpose="justice")
    status, said = await refused(desk, case, incident)
    assert (status, "for something else" in said) == (409, True)
    await refused(desk, case, incident, services=["acute_care", "examination_and_report"])  # and not half of it either
    assert await sent(world) == []
    await refer(desk, case, incident, "health", services=["examination_and_report"])
    assert [str(one.consent_id) for one in await sent(world)] == [court["id"]]


async def test_a_newer_yes_for_another_purpose_neither_narrows_nor_widens_care(world: World) -> None:
    desk = await world["police"].sign_in("desk")
    case, incident = await open_case(desk)
    care = await consent(desk, case, "health", "needs")
    court = await consent(desk, case, "health", "fb", "type", purpose="justice")
    await consent(desk, case, "health", *EVERYTHING, purpose="statistics")
    await refer(desk, case, incident, "health")
    (one,) = await sent(world)
    said: Any = one.said
    assert (str(one.consent_id), "needs" in said, said["feedback_agreed"], "incident_class" in said) == (
        care["id"],
        True,
        False,
        False,
    )
    await desk.take_back(case, court)  # and with it goes nothing that was told for care
    assert (await sent(world))[0].is_open
    await consent(desk, case, "health", *EVERYTHING, purpose="justice")
    await desk.take_back(case, care)
    assert not (await sent(world))[0].is_open
    assert (await refused(desk, case, incident))[0] == 409  # what stands for the court asks for no care


@on_sqlite
async def test_a_step_is_told_under_the_yes_that_is_for_it(world: World) -> None:
    desk = await world["police"].sign_in("desk")
    case, _ = await open_case(desk)

    async def told() -> list[str]:
        return list((await desk.post(f"/cases/{case}/progress", {"code": "statement_taken"}))["told"])

    await consent(desk, case, "social_welfare", *EVERYTHING, purpose="statistics")
    assert await told() == []
    support = await consent(desk, case, "social_welfare", "prog", purpose="support")
    await consent(desk, case, "social_welfare", purpose="justice")
    assert await told() == ["social_welfare"]
    await desk.take_back(case, support)
    assert await told() == []


@on_sqlite
async def test_what_comes_home_after_a_restore_asks_for_nothing_more_than_it_did(world: World) -> None:
    before = await world.back_up("police")
    desk = await world["police"].sign_in("desk")
    case, incident = await open_case(desk)
    await consent(desk, case, "health", *EVERYTHING, purpose="justice")
    await refer(desk, case, incident, "health", services=["examination_and_report"])
    await world.settle()
    await world.restore("police", before)
    await world.settle_restored()
    desk = await world["police"].sign_in("the_next_desk")
    (home,) = (await desk.get("/referrals"))["items"]
    again = await desk.post(f"/cases/{home['case_id']}/incidents", {"incident_type": "rape"})
    assert (await refused(desk, home["case_id"], again["id"]))[0] == 409
    await refer(desk, home["case_id"], again["id"], "health", services=["examination_and_report"])
