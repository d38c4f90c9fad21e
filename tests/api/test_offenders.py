"""The register of offenders: a station's own, apart from every survivor's file, and read by name only where that is kept."""

import json
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from agencies import Desk, Refused, TestAgency, World, open_case
from sqlalchemy import select
from sqlmodel import SQLModel, col

from services.police.offenders.tables import Offender, OffenderEntry, OffenderLook
from shared.contracts.casework.codes import Role
from shared.exchange.tables import OutboxRow

STATION, OTHER = "ndola_central_vsu", "masaiti_vsu"
WHO = "Synthetic Mwamba, of the market"
WARNED = {"who": WHO, "what": "warned", "on": "2026-01-05"}
REGISTER = {Offender.__tablename__, OffenderEntry.__tablename__, OffenderLook.__tablename__}


async def refused(work: Any) -> tuple[int, str]:
    with pytest.raises(Refused) as error:
        await work
    return error.value.status, error.value.problem["detail"]


async def at(world: World, facility: str | None, name: str, role: Role = Role.OFFICER) -> Desk:
    return await world["police"].sign_in(name, role, facility)


async def test_somebody_is_entered_added_to_and_read_and_every_look_is_kept(world: World) -> None:
    desk = await at(world, STATION, "desk")
    made = await desk.post("/offenders", WARNED)
    await desk.post(f"/offenders/{made['id']}/entries", {"what": "counselled", "on": "2026-01-04"})
    shown = await desk.get(f"/offenders/{made['id']}")
    assert shown["who"] == WHO
    assert [(one["what"], one["on"]) for one in shown["entries"]] == [("counselled", "2026-01-04"), ("warned", "2026-01-05")]
    listed = (await desk.get("/offenders"))["items"]
    assert [one["id"] for one in listed] == [made["id"]]
    assert WHO not in json.dumps(listed)
    async with world["police"].database.read() as tx:
        looks = (await tx.session.execute(select(OffenderLook).where(col(OffenderLook.offender_id) == UUID(made["id"])))).scalars()
        assert len(list(looks)) == 3  # entered, added to, read: each showed who it is


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"what": "mediated"}, "“mediated” is none of the things that this programme's register knows."),
        ({"on": "2026-01-06"}, "Choose a day of the last year, and none that is still to come."),
        ({"on": "2025-01-03"}, "Choose a day of the last year, and none that is still to come."),
        ({"facility": "ndola_clinic"}, "Choose the station at which it was done; it is one of this account's own."),
    ],
)
async def test_what_the_programme_does_not_know_is_refused(world: World, wrong: dict[str, str], words: str) -> None:
    desk = await at(world, STATION, "desk")
    assert await refused(desk.post("/offenders", {**WARNED, **wrong})) == (409, words)
    assert (await desk.get("/offenders"))["items"] == []


async def test_a_station_has_its_own_and_a_supervisor_of_the_agency_all(world: World) -> None:
    made = await (await at(world, STATION, "desk")).post("/offenders", WARNED)
    other = await at(world, OTHER, "other")
    assert (await other.get("/offenders"))["items"] == []
    assert (await refused(other.get(f"/offenders/{made['id']}")))[0] == 404
    everywhere = await at(world, None, "inspector", Role.SUPERVISOR)
    assert [one["id"] for one in (await everywhere.get("/offenders"))["items"]] == [made["id"]]
    assert (await refused((await at(world, None, "clerk", Role.ADMINISTRATOR)).get("/offenders")))[0] == 403


async def test_nothing_of_it_is_said_to_anybody_or_stands_with_a_case(world: World) -> None:
    desk = await at(world, STATION, "desk")
    case_id, _incident = await open_case(desk)
    async with world["police"].database.read() as tx:
        before = len(list((await tx.session.execute(select(OutboxRow))).scalars()))
    made = await desk.post("/offenders", WARNED)
    async with world["police"].database.read() as tx:
        assert len(list((await tx.session.execute(select(OutboxRow))).scalars())) == before
    for path in (f"/cases/{case_id}", f"/cases/{case_id}/timeline"):
        assert made["id"] not in json.dumps(await desk.get(path))


def test_no_column_leads_from_it_to_a_survivors_file_or_back() -> None:
    for table in SQLModel.metadata.sorted_tables:
        for key in table.foreign_keys:
            assert (table.name in REGISTER) == (key.column.table.name in REGISTER), (table.name, key.target_fullname)
    for name in REGISTER:
        assert not {"case_id", "incident_id", "complaint_id", "referral_id"} & set(SQLModel.metadata.tables[name].columns.keys())


async def test_a_programme_without_such_a_register_has_none(world: World) -> None:
    police = world["police"]
    records = {name: one for name, one in police.here.programme.records.items() if name != "offender"}
    without = replace(police.here, programme=police.here.programme.model_copy(update={"records": records}))
    world.agencies["police"] = TestAgency(without, police.parts, police.database)
    desk = await at(world, STATION, "desk")
    assert await refused(desk.get("/offenders")) == (404, "This programme keeps no register of offenders.")
    assert (await refused(desk.post("/offenders", WARNED)))[0] == 404
