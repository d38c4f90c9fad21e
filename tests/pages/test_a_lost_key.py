"""A case whose key is not in the keystore: the watcher watches the others, and what is parked for it is shown with what to do."""

from datetime import timedelta
from pathlib import Path
from uuid import UUID

from agencies import World, consent, open_case, refer
from keystores import lose
from shift import at_work
from sqlalchemy import select
from sqlmodel import col

from shared.casework.referrals.tables import Referral
from shared.contracts.casework.codes import Role
from shared.exchange.erasing import received_key
from shared.exchange.inbox import SHUT
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
