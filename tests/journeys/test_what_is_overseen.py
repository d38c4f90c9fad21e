"""What a replay reads of an oversight body's whole database, on databases of agencies at work: counts only; and a case is found."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from agencies import World, consent, open_case, refer
from overseen import SERVING, later, overseen, watch
from reported import report

from services.simulate.overseen import Overseen, look
from shared.casework.accounts.commands import find_account
from shared.contracts.casework.codes import AgeBand, IncidentType, Role, Sex

DESK = "ndola_central_vsu"
MANY = [(IncidentType.RAPE, AgeBand.A10_14, Sex.FEMALE, DESK)] * 14


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[World]:
    made = await overseen(tmp_path)
    yield made
    await made.close()


async def looked_at(town: World) -> Overseen:
    return await look("oversight", town["oversight"].database, {one: town[one].database for one in SERVING}, ())


async def test_a_replay_finds_counts_only_and_whatever_else_there_is(town: World) -> None:
    assert not (await looked_at(town)).is_right, "an empty database shows nothing"
    desk = await town["police"].sign_in("desk", Role.OFFICER, DESK)
    case_id, incident_id = await open_case(desk)
    await consent(desk, case_id, "health")
    sent = await refer(desk, case_id, incident_id, "health")
    await report(town["police"], MANY)
    await town.settle()
    await town["oversight"].sign_in("head")
    await later(town, "2026-04-15")
    await watch(town)
    found = await looked_at(town)
    assert (found.found, found.is_right, found.told) == ((), True, 2), "those who worked"
    assert found.searched > 50
    for planted in (case_id, sent["id"].replace("-", "")):
        async with town["oversight"].database.write() as tx:
            (await find_account(tx, "head")).facility = planted
        found = await looked_at(town)
        assert found.found == (f"{planted.replace('-', '')} of another's records",)
        assert not found.is_right
