"""A case whose key is not in the keystore: the watcher watches the others, and what is parked for it is shown with what to do."""

from datetime import timedelta
from pathlib import Path
from uuid import UUID

from agencies import World, consent, open_case, refer
from keystores import lose
from shift import at_work
from sqlalchemy import select
from sqlmodel import col

from services.police.complaints.domain import Told
from services.police.complaints.tables import Telling
from shared.casework.circles.tables import Progress
from shared.casework.referrals.tables import Referral
from shared.contracts.casework.codes import Role
from shared.exchange.erasing import received_key
from shared.exchange.inbox import SHUT
from shared.kit.ids import new_id
from shared.kit.keystore import Keystore


def keys_of(world: World, agency: str) -> Keystore:
    keys = world[agency].database.keys
    assert keys is not None
    return keys


async def test_the_watcher_goes_on_to_the_others(world: World, tmp_path: Path) -> None:
    police = world["police"]
    desk = await police.sign_in("desk")
    sent = []
    for _ in range(2):
        case_id, incident_id = await open_case(desk)
        await consent(desk, case_id, "health")
        sent.append((case_id, (await refer(desk, case_id, incident_id, "health"))["id"]))
    await world.settle()
    (lost, _), (_, other) = sent
    lose(keys_of(world, "police"), UUID(lost), tmp_path / "copy")
    world.clock.advance(timedelta(days=2))
    await police.watcher.tick()
    async with police.database.read() as tx:
        flags = (await tx.session.execute(select(col(Referral.flags)).where(col(Referral.id) == UUID(other)))).scalar_one()
    assert flags, "two days after an acute request nobody has seen it"


async def test_what_is_about_it_is_parked_and_shown_and_the_others_arrive(world: World, tmp_path: Path) -> None:
    clinic = world["health"]
    desk = await world["police"].sign_in("desk")
    sent, agreed = [], []
    for _ in range(2):
        case_id, incident_id = await open_case(desk)
        agreed.append(UUID((await consent(desk, case_id, "health"))["id"]))
        sent.append((await refer(desk, case_id, incident_id, "health"))["id"])
    await world.settle()
    for referral in sent:
        await desk.post(f"/referrals/{referral}/cancel", {"reason_code": "duplicate"})
    await world["police"].flush()
    # The agencies of one process share a keystore.
    lose(keys_of(world, "health"), received_key("police", agreed[0]), tmp_path / "copy")
    await world.deliver("police", "health")
    supervisor = await at_work(world, "health", "in-charge", Role.SUPERVISOR)
    page = await supervisor.open("/parked")
    assert (page.status, str(SHUT) in page.words) == (200, True)
    async with clinic.database.read() as tx:
        state = (await tx.session.execute(select(col(Referral.state)).where(col(Referral.id) == UUID(sent[1])))).scalar_one()
    assert state == "cancelled"


CANNOT_BE_READ = "What is written of it cannot be read here: its key is missing."


async def test_a_hearing_that_is_off_and_whose_day_cannot_be_read_shuts_no_desk_out(world: World, tmp_path: Path) -> None:
    """She was told its day; that it does not hold stands on the list, and every other line as well."""
    police, now = world["police"], world.clock.now()
    desk, officer = await police.sign_in("desk"), await at_work(world, "police", "officer-1", Role.OFFICER)
    case_id, _incident = await open_case(desk)
    await desk.post(f"/cases/{case_id}/progress", {"code": "hearing_date", "on_date": "2026-01-08"})
    async with police.database.write() as tx:
        step = (await tx.session.execute(select(Progress).where(col(Progress.case_id) == UUID(case_id)))).scalar_one()
        step.was_on, step.on_date, step.off_recorded_at = step.on_date, None, now
        told = Telling(
            id=new_id(), case_id=UUID(case_id), position=step.position, outcome=Told.TOLD, occurred_at=now, recorded_at=now
        )  # fmt: skip
        tx.session.add(told)
    lose(keys_of(world, "police"), UUID(case_id), tmp_path / "copy")
    page = await officer.open("/work")
    assert (page.status, f"/cases/{case_id}" in page.text) == (200, True)
    assert CANNOT_BE_READ in page.words


async def test_a_work_list_says_of_its_line_that_it_cannot_be_read_and_stands(world: World, tmp_path: Path) -> None:
    desk = await world["police"].sign_in("desk")
    sent, cases = [], []
    for _ in range(2):
        case_id, incident_id = await open_case(desk)
        agreed = await consent(desk, case_id, "health", "needs", "relay")
        sent.append((await refer(desk, case_id, incident_id, "health"))["id"])
        cases.append((case_id, UUID(agreed["id"])))
    lost, _incident = await open_case(desk)  # opened, and nothing sent yet
    await desk.post(f"/cases/{lost}/progress", {"code": "hearing_date", "on_date": "2026-01-08"})
    await world.settle()
    nurse = await at_work(world, "health", "nurse-1", Role.CLINICIAN)
    officer = await at_work(world, "police", "officer-1", Role.OFFICER)
    async with world["health"].database.read() as tx:
        there = (await tx.session.execute(select(col(Referral.case_id)).where(col(Referral.id) == UUID(sent[0])))).scalar_one()
    keys = keys_of(world, "health")
    for name in (received_key("police", cases[0][1]), there, UUID(cases[0][0]), UUID(lost)):
        if keys.living([name]):
            lose(keys, name, tmp_path / "copy")
    for visitor, count in ((nurse, 1), (officer, 3)):
        page = await visitor.open("/work")
        assert (page.status, page.words.count(CANNOT_BE_READ)) == (200, count), page.words
        assert ("Hearing date set" in page.words) == (visitor is officer)  # that there is something to tell her, and not the day
        assert [one for one in sent if f"/referrals/{one}" not in page.links] == []
        assert (await visitor.open("/here-now")).status == (await visitor.open("/hand-over")).status == 200
        page = await visitor.open("/cases")
        assert (page.status, CANNOT_BE_READ in page.words) == (200, True)
    for reader in (desk, await world["health"].sign_in("program")):
        listed = {one["id"]: one for one in (await reader.get("/referrals"))["items"]}
        assert [listed[one]["is_shut"] for one in sent] == [True, False]
        shut = [one for one in (await reader.get("/cases"))["items"] if one["is_shut"]]
        assert shut
        assert [one["needs"] for one in shut] == [None] * len(shut)
    page = await nurse.open("/work")
    said = await nurse.send(page.form(f"/referrals/{sent[1]}/seen-come"))
    assert (said.status, said.path) == (200, "/work")
