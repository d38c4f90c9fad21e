"""Supplies between a station and the clinic that fills its box: asked, sent, counted, told by the month; nobody is in any of it."""

from datetime import timedelta
from typing import Any

import pytest
from agencies import Desk, Refused, World
from box import BATCH, CLINIC, EC, EXPIRES, STATION, came, certified, count, give, inspector, left, stock
from sqlalchemy import select
from sqlmodel import col

from services.police.dispensing.resupply import ANSWERED_WITHIN
from services.police.dispensing.views import box_of
from shared.contracts.casework.codes import Role
from shared.exchange.tables import OutboxRow

PARCEL = [{"batch": BATCH, "expires_on": EXPIRES, "quantity": 20}]


async def pharmacist(world: World) -> Desk:
    desk = await world["health"].sign_in("pharmacist", Role.CLINICIAN, CLINIC)
    line = {"product": EC, "batch": BATCH, "expires_on": EXPIRES, "kind": "received", "quantity": 100}
    await desk.post("/supplies/entries", line)
    return desk


async def asked(world: World, desk: Desk) -> str:
    body = {"product": EC, "quantity": 20, "reason": "first_stock"}
    made: str = (await desk.post("/dispensing/requests", body))["id"]
    await world.settle()
    return made


async def refused(work: Any) -> int:
    with pytest.raises(Refused) as error:
        await work
    return error.value.status


async def test_a_parcel_is_asked_for_sent_counted_and_both_ends_agree(world: World) -> None:
    desk, clinic = await certified(world), await pharmacist(world)
    id_ = await asked(world, desk)
    assert await refused(desk.post("/dispensing/requests", {"product": EC, "quantity": 5, "reason": "low"})) == 409  # one is open
    (there,) = (await clinic.get("/supplies/requests"))["items"]
    assert (there["id"], there["station"], there["quantity"], there["state"]) == (id_, STATION, 20, "asked")
    elsewhere = await world["health"].sign_in("elsewhere", Role.CLINICIAN, "ndola_hospital")
    assert await refused(elsewhere.post(f"/supplies/requests/{id_}/send", {"batches": PARCEL})) == 404
    over = [{"batch": "OLD-1", "expires_on": "2026-01-04", "quantity": 1}]
    assert await refused(clinic.post(f"/supplies/requests/{id_}/send", {"batches": over})) == 409
    assert await refused(clinic.post(f"/supplies/requests/{id_}/send", {"batches": [{**PARCEL[0], "quantity": 101}]})) == 409
    await clinic.post(f"/supplies/requests/{id_}/send", {"batches": PARCEL})
    assert (await clinic.get("/supplies/stock"))["items"][0]["quantity"] == 80
    await world.settle()
    assert await left(desk) == 0  # on its way: nothing counts before it is counted
    got = await desk.post(f"/dispensing/requests/{id_}/receive", {"batches": PARCEL})
    assert (got["state"], await left(desk)) == ("received", 20)
    await world.settle()
    assert (await clinic.get("/supplies/requests"))["items"][0]["state"] == "received"
    matron = await world["health"].sign_in("matron", Role.SUPERVISOR, CLINIC)
    for supervisor in (await inspector(world, "chief"), matron):
        assert (await supervisor.get("/alarms"))["items"] == []
    assert await refused(desk.post(f"/dispensing/requests/{id_}/receive", {"batches": PARCEL})) == 409


async def test_what_came_is_not_what_was_sent_and_both_ends_are_alarmed(world: World) -> None:
    desk, clinic = await certified(world), await pharmacist(world)
    id_ = await asked(world, desk)
    await clinic.post(f"/supplies/requests/{id_}/send", {"batches": PARCEL})
    await world.settle()
    await desk.post(f"/dispensing/requests/{id_}/receive", {"batches": [{**PARCEL[0], "quantity": 19}]})
    await world.settle()
    matron = await world["health"].sign_in("matron", Role.SUPERVISOR, CLINIC)
    for supervisor in (await inspector(world, "chief"), matron):
        assert [one["kind"] for one in (await supervisor.get("/alarms"))["items"]] == ["parcel_differs"]


async def test_a_place_that_sends_none_says_why_and_another_is_asked(world: World) -> None:
    desk, clinic = await certified(world), await pharmacist(world)
    id_ = await asked(world, desk)
    await clinic.post(f"/supplies/requests/{id_}/decline", {"reason": "none_here"})
    await world.settle()
    assert await refused(clinic.post(f"/supplies/requests/{id_}/send", {"batches": PARCEL})) == 409
    (one,) = (await desk.get("/dispensing/requests"))["items"]
    assert (one["state"], one["declined_because"]) == ("declined", "none_here")
    body = {"product": EC, "quantity": 20, "reason": "none_left", "to_agency": "health", "to_facility": "ndola_hospital"}
    assert (await desk.post("/dispensing/requests", body))["to_facility"] == "ndola_hospital"
    assert await refused(desk.post("/dispensing/requests", {**body, "to_facility": "masaiti_clinic"})) == 409


async def test_a_request_that_nobody_answers_is_said_and_another_place_is_asked_and_may_answer_late(world: World) -> None:
    desk, clinic = await certified(world), await pharmacist(world)
    id_ = await asked(world, desk)
    body = {"product": EC, "quantity": 20, "reason": "none_left", "to_agency": "health", "to_facility": "ndola_hospital"}
    assert await refused(desk.post("/dispensing/requests", body)) == 409
    world.clock.advance(ANSWERED_WITHIN)
    async with world["police"].database.read() as tx:
        box = await box_of(tx, world["police"].here, STATION)
    assert [str(one.id) for one in box.unanswered] == [id_]
    assert (await desk.post("/dispensing/requests", body))["to_facility"] == "ndola_hospital"
    await clinic.post(f"/supplies/requests/{id_}/send", {"batches": PARCEL})
    await world.settle()
    assert {one["state"] for one in (await desk.get("/dispensing/requests"))["items"]} == {"asked", "sent"}


async def test_a_month_is_told_in_sums_and_read_by_the_clinics_supervisor_alone(world: World) -> None:
    desk = await certified(world)
    colleague = await world["police"].sign_in("colleague", Role.OFFICER, STATION)
    await stock(desk, 5)
    cases = [await came(world, desk) for _ in range(2)]
    for one in cases:
        await give(desk, *one)
    await count(desk, colleague, {BATCH: 2})
    assert await refused(desk.post("/dispensing/statements", {"month": "2026-01"})) == 409  # it is not over
    world.clock.advance(timedelta(days=27))
    assert (await desk.get("/dispensing/box"))["month_due"] == "2026-01"
    (told,) = (await desk.post("/dispensing/statements", {"month": "2026-01"}))["products"]
    expected = {
        "opening": 0,
        "received": 5,
        "dispensed": 2,
        "counted": 2,
        "variance": 1,
        "adverse": 0,
        "misuse": 0,
        "stock_out_days": 0,
    }
    assert {name: told[name] for name in expected} == expected
    assert await refused(desk.post("/dispensing/statements", {"month": "2026-01"})) == 409  # once
    assert (await desk.get("/dispensing/box"))["month_due"] is None
    await world.settle()
    matron = await world["health"].sign_in("matron", Role.SUPERVISOR, CLINIC)
    (there,) = (await matron.get("/supplies/stations"))["items"]
    assert {name: there[name] for name in expected} == expected
    for who, role, place in (("nurse", Role.CLINICIAN, CLINIC), ("other", Role.SUPERVISOR, "ndola_hospital")):
        reader = await world["health"].sign_in(who, role, place)
        for path in ("stations", "reports", "visits"):
            answer = await reader.ask("GET", f"/supplies/{path}?facility={CLINIC}")
            assert answer.status_code == 404, (who, path)
    # Nothing that was said names a person, a case, an incident, or an hour at which a dose was given.
    async with world["police"].database.read() as tx:
        said = (await tx.session.execute(select(OutboxRow).where(col(OutboxRow.type).like("supplies.%")))).scalars().all()
    assert [row.type for row in said] == ["supplies.stated"]
    for row in said:
        assert row.consent_id is None
        assert not any(id_ in str(row.data) for one in cases for id_ in one)
        assert "T" not in str({k: v for k, v in (row.data or {}).items() if k != "batches"})


async def test_no_dose_is_told_to_health_at_the_hour_at_which_it_is_given(world: World) -> None:
    desk = await certified(world)
    await stock(desk, 5)
    await give(desk, *await came(world, desk))
    async with world["police"].database.read() as tx:
        said = (await tx.session.execute(select(col(OutboxRow.type)))).scalars().all()
    assert said == []


async def test_a_visit_is_kept_with_its_findings_and_what_was_counted(world: World) -> None:
    points = ("box_locked", "key_with_certified", "book_complete", "counts_by_two", "certificates_valid", "leaflets_there",
              "care_always_offered", "private_room")  # fmt: skip
    body = {"agency": "police", "station": STATION, "visited_on": "2026-01-04", "findings": dict.fromkeys(points, "right"),
            "counted": PARCEL}  # fmt: skip
    matron = await world["health"].sign_in("matron", Role.SUPERVISOR, CLINIC)
    nurse = await world["health"].sign_in("nurse", Role.CLINICIAN, CLINIC)
    assert await refused(nurse.post("/supplies/visits", body)) == 404
    assert await refused(matron.post("/supplies/visits", {**body, "visited_on": "2026-01-06"})) == 409
    assert await refused(matron.post("/supplies/visits", {**body, "station": "ndola_clinic"})) == 409
    assert await refused(matron.post("/supplies/visits", {**body, "findings": {"box_locked": "right"}})) == 409
    kept = await matron.post("/supplies/visits", body)
    assert (await matron.get("/supplies/visits"))["items"] == [kept]


@pytest.mark.long  # peers give back what they hold in several rounds
@pytest.mark.parametrize("world", ["sqlite"], indirect=True)  # restoring copies a file
async def test_after_a_restore_a_request_is_known_again_and_its_parcel_is_counted(world: World) -> None:
    desk, clinic = await certified(world), await pharmacist(world)
    image = await world.back_up("police")
    id_ = await asked(world, desk)
    await clinic.post(f"/supplies/requests/{id_}/send", {"batches": PARCEL})
    await world.settle()
    await world.restore("police", image)
    await world.settle_restored()
    desk.client = world["police"].client
    (one,) = (await desk.get("/dispensing/requests"))["items"]
    assert (one["id"], one["quantity"], one["state"]) == (id_, 20, "sent")
    await desk.post(f"/dispensing/requests/{id_}/receive", {"batches": PARCEL})
    assert await left(desk) == 20
