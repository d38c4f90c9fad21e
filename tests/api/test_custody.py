"""Samples and certificates through the API: a book that nobody changes, gaps that count, and nothing that leaves."""

from typing import Any

import pytest
from agencies import Refused, World, open_case
from reports import CLINIC, nurse
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError
from sqlmodel import col

from shared.casework.alarms.tables import Alarm
from shared.contracts.casework.codes import Role
from shared.exchange.tables import OutboxRow

TAKEN = {"kind": "swab", "post": "duty_nurse", "name": "Canary Collector"}
SEALED = {"act": "sealed", "post": "duty_nurse", "seal": "ZP-114"}
HANDED = {
    "act": "handed_over", "post": "duty_nurse", "name": "Canary Hander", "seal": "ZP-114", "other_post": "duty_officer",
    "other_name": "Canary Taker",
}  # fmt: skip


async def refused(work: Any) -> int:
    with pytest.raises(Refused) as error:
        await work
    return error.value.status


async def test_a_sample_goes_from_hand_to_hand_and_its_book_stands(world: World) -> None:
    clinic = await nurse(world)
    case_id, _incident = await open_case(clinic)
    sample = await clinic.post(f"/cases/{case_id}/specimens", TAKEN)
    path = f"/specimens/{sample['id']}"
    assert sample["code"].startswith("S-")
    await clinic.post(f"{path}/entries", SEALED)
    assert await refused(clinic.post(f"{path}/entries", SEALED)) == 409
    for missing in ("name", "other_post", "other_name", "seal"):  # two posts and two names, or it is no hand-over
        body = {name: value for name, value in HANDED.items() if name != missing}
        assert await refused(clinic.post(f"{path}/entries", body)) == 422
    assert await refused(clinic.post(f"{path}/entries", {"act": "destroyed", "post": "duty_nurse", "other_post": "a"})) == 422
    view = await clinic.post(f"{path}/entries", HANDED)
    assert (view["state"], view["holder"], view["seal"], view["gaps"]) == ("handed_over", "duty_officer", "ZP-114", [])
    assert [one["number"] for one in view["entries"]] == [1, 2, 3]
    async with world["health"].database.read() as tx:
        assert (await tx.session.execute(select(OutboxRow))).scalars().all() == []  # nobody is told
    for change in ("UPDATE health_custody_entries SET act = 'stored'", "DELETE FROM health_custody_entries"):
        with pytest.raises(DBAPIError, match="never changed"):
            async with world["health"].database.write() as tx:
                await tx.session.execute(text(change))


async def test_a_gap_is_shown_counted_and_alarmed_until_the_missing_line_is_typed(world: World) -> None:
    clinic = await nurse(world)
    case_id, _incident = await open_case(clinic)
    at = {name: f"2026-01-05T0{hour}:00:00Z" for hour, name in enumerate(("taken", "sealed", "handed"), start=5)}
    sample = await clinic.post(f"/cases/{case_id}/specimens", {**TAKEN, "occurred_at": at["taken"]})
    path = f"/specimens/{sample['id']}"
    view = await clinic.post(f"{path}/entries", {**HANDED, "occurred_at": at["handed"]})
    assert view["gaps"] == ["not_sealed", "seal_differs"]
    head = await nurse(world, "head-nurse", Role.SUPERVISOR)

    async def counted() -> Any:
        found = (await head.get("/specimens/figures?month=2026-01"))["items"]
        return next(one for one in found if one["facility"] == CLINIC)

    assert await counted() == {"facility": CLINIC, "collected": 1, "handed_over": 1, "with_gap": 1}
    assert (await clinic.post(f"{path}/entries", {**SEALED, "occurred_at": at["sealed"]}))["gaps"] == []
    assert (await counted())["with_gap"] == 0
    async with world["health"].database.read() as tx:
        (alarm,) = (await tx.session.execute(select(Alarm).where(col(Alarm.kind) == "custody_gap"))).scalars()
    assert alarm.resolved_at is not None
    assert await refused(clinic.get("/specimens/figures?month=2026-01")) == 403


async def test_a_certificate_is_given_into_her_hand_once(world: World) -> None:
    clinic = await nurse(world)
    case_id, _incident = await open_case(clinic)
    body = {"number": "MC/7", "post": "duty_nurse", "name": "Canary Signer", "copy_kept": True}
    made = await clinic.post(f"/cases/{case_id}/medical-certificates", body)
    assert made["given_at"] is None
    assert await refused(clinic.post(f"/cases/{case_id}/medical-certificates", body)) == 409
    assert await refused(clinic.post(f"/cases/{case_id}/medical-certificates", {**body, "number": "MC/8", "post": "porter"})) == 422
    given = await clinic.post(f"/medical-certificates/{made['id']}/given")
    assert given["given_at"] is not None
    assert await refused(clinic.post(f"/medical-certificates/{made['id']}/given")) == 409
    assert [one["number"] for one in (await clinic.get(f"/cases/{case_id}/medical-certificates"))["items"]] == ["MC/7"]
