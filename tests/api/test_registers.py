"""Registers that only a profile names: a country that nobody has seen writes in them without a line of Python, each field by its
type, sealed, read by whoever the profile says; what is corrected stays as it stood, and what has had its days goes."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from agencies import Refused, World
from atoll import JETTY, WHOLE, a_case, atoll_world, captain
from shift import at_work
from sqlalchemy import select, text
from sqlmodel import col

from shared.casework.accounts.commands import find_account
from shared.casework.accounts.tables import CaseRead
from shared.casework.registers import commands
from shared.casework.registers.tables import RegisterEntry
from shared.contracts.casework.codes import Role
from shared.programmes.records import RecordField


@pytest.fixture
async def islands(tmp_path: Path) -> AsyncIterator[World]:
    async with atoll_world(tmp_path) as world:
        yield world


async def refused(work: Any) -> tuple[int, Any]:
    with pytest.raises(Refused) as error:
        await work
    return error.value.status, error.value.problem.get("errors")


async def test_a_register_that_only_the_profile_knows_is_written_read_and_corrected(islands: World) -> None:
    desk = await captain(islands)
    case = await a_case(desk)
    first = await desk.post("/records/tide_log", {"case_id": case, "fields": WHOLE})
    assert (first["number"], first["said"], first["facility"]) == (1, WHOLE, JETTY)
    assert (await desk.post("/records/tide_log", {"case_id": case, "fields": {"came_by": "swam"}}))["number"] == 2
    again = await desk.post(f"/records/tide_log/{first['entry_id']}/corrections", {"fields": {**WHOLE, "people": 4}})
    assert (again["version"], again["number"], again["said"]["people"]) == (2, 1, 4)
    told = (await desk.get(f"/records/tide_log?case_id={case}"))["items"]
    assert [(one["number"], one["version"]) for one in told] == [(2, 1), (1, 2)]
    answer = await desk.ask("GET", f"/records/tide_log/{first['entry_id']}")
    assert [one["said"]["people"] for one in answer.json()] == [3, 4]  # what stood before stays
    async with islands["guardians"].database.read() as tx:
        looks = select(col(CaseRead.what)).where(col(CaseRead.case_id) == UUID(case))
        assert "register" in (await tx.session.execute(looks)).scalars().all()
        raw = (await tx.session.execute(text("SELECT said FROM casework_register_entries"))).scalars().all()
    assert all(b"synthetic" not in bytes(one) for one in raw)  # sealed, under the case's key


WRONG: tuple[tuple[str, Any], ...] = (
    ("came_by", "train"), ("people", 0), ("people", 41), ("people", 1.5), ("people", True), ("hours_at_sea", "long"),
    ("where_to", "healers/nowhere"), ("told", ""), ("told", "x" * 2_001), ("signed", "x" * 81), ("came_by", None), ("fin", 1),
)  # fmt: skip


async def test_a_field_is_read_by_its_type_and_named_where_it_is_wrong(islands: World) -> None:
    desk = await captain(islands)
    case = await a_case(desk)
    for field, value in WRONG:
        body = {"case_id": case, "fields": {**WHOLE, field: value}}
        status, errors = await refused(desk.post("/records/tide_log", body))
        assert (status, errors[0]["field"]) == (422, field), (field, value)
    assert (await desk.get(f"/records/tide_log?case_id={case}"))["items"] == []


async def test_who_reads_and_where_it_is_kept_is_the_profiles(islands: World) -> None:
    desk = await captain(islands)
    case = await a_case(desk)
    entry = await desk.post("/records/tide_log", {"case_id": case, "fields": WHOLE})
    plain = await islands["guardians"].sign_in("plain", Role.OFFICER, JETTY)
    assert [one["record"] for one in (await plain.get("/records"))["items"]] == ["drill"]
    assert (await refused(plain.get(f"/records/tide_log?case_id={case}")))[0] == 404
    assert (await refused(plain.get(f"/records/tide_log/{entry['entry_id']}")))[0] == 404
    assert (await refused(plain.post("/records/tide_log", {"case_id": case, "fields": WHOLE})))[0] == 404
    # A supervisor reads it whatever she holds, but for a field that the profile keeps for others: here it lets her too.
    chief = await islands["guardians"].sign_in("chief", Role.SUPERVISOR, JETTY)
    assert (await chief.get(f"/records/tide_log?case_id={case}"))["items"][0]["said"]["told"] == "synthetic words"
    room = await islands["guardians"].sign_in("at-the-room", Role.SUPERVISOR, "harbour_room")
    elsewhere = await a_case(room)
    assert (await refused(room.post("/records/tide_log", {"case_id": elsewhere, "fields": WHOLE})))[0] == 409  # kept at jetties
    assert (await refused(room.get(f"/records/tide_log/{entry['entry_id']}")))[0] == 404
    healer = await islands["healers"].sign_in("healer", Role.CLINICIAN, "malas_bay")
    assert "tide_log" not in [one["record"] for one in (await healer.get("/records"))["items"]]
    assert (await refused(desk.get("/records/complaint")))[0] == 404  # a feature of its own keeps that


async def test_an_entry_goes_when_its_days_are_over_and_stays_where_a_court_keeps_it(
    islands: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = await captain(islands)
    kept, gone = await a_case(desk), await a_case(desk)
    for case in (kept, gone):
        await desk.post("/records/tide_log", {"case_id": case, "fields": WHOLE})
    chief = await islands["guardians"].sign_in("chief", Role.SUPERVISOR, JETTY)
    await chief.post(f"/cases/{kept}/holds", {"order": "A synthetic order."})
    monkeypatch.setattr(commands, "FORGOTTEN_AT_ONCE", 1)  # what is kept takes no other's turn
    for days, left in ((30, 2), (1, 1)):
        islands.clock.advance(timedelta(days=days))
        await islands["guardians"].watcher.tick()
        async with islands["guardians"].database.read() as tx:
            assert len((await tx.session.execute(select(col(RegisterEntry.id)))).scalars().all()) == left
    desk = await captain(islands, "later")
    assert (await desk.post("/records/tide_log", {"case_id": kept, "fields": WHOLE}))["number"] == 3  # no number is given twice


async def test_the_pages_write_correct_and_show_it_without_a_line_for_this_country(islands: World) -> None:
    desk = await at_work(islands, "guardians", "chief", Role.SUPERVISOR, JETTY)
    api = await islands["guardians"].sign_in("api", Role.OFFICER, JETTY)
    case = f"/cases/{await a_case(api)}"
    address = f"{case}/registers/tide_log"
    page = await desk.open(case)
    assert address in page.links
    page = await desk.open(address)
    page = await desk.send(page.form(address), r_came_by="boat", r_people="99", r_told="synthetic words")
    assert (page.status, page.form(address).fields["r_told"]) == (422, ["synthetic words"])
    page = await desk.send(page.form(address), r_people="3", r_where_to="healers/malas_bay", r_hours_at_sea="2,5")
    assert (page.status, "synthetic words" in page.words, "Malas sick bay" in page.words) == (200, True, True)
    entry = next(one for one in page.links if one.startswith("/registers/entries/"))
    page = await desk.open(entry)
    page = await desk.send(page.form(entry), r_people="4")
    assert "What stood before" in page.words
    assert "/registers" in page.links
    page = await desk.open("/registers")
    page = await desk.open(next(one for one in page.links if one == "/registers/drill"))
    page = await desk.send(page.form("/registers/drill"), r_people="12")
    assert "12" in page.words
    assert (await desk.open("/registers/tide_log")).status == 404  # that one is of cases


def with_drill(world: World, **changed: Any) -> None:
    """The register of no case is another from now on."""
    here = world["guardians"].edge.here
    drill = here.programme.records["drill"].model_copy(update=changed)
    programme = here.programme.model_copy(update={"records": {**here.programme.records, "drill": drill}})
    world["guardians"].edge.here = replace(here, programme=programme)


async def test_whoever_only_reads_sees_what_stands_now_and_finds_the_oldest_too(
    islands: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    readers = type(islands["guardians"].edge.here.programme.records["drill"].readers)
    with_drill(islands, writers=readers.model_validate({"posts": ["harbour_captain"]}))
    chief = await islands["guardians"].sign_in("chief", Role.SUPERVISOR, JETTY)
    entries = [(await chief.post("/records/drill", {"fields": {"people": 17}}))["entry_id"] for _ in range(3)]
    await chief.post(f"/records/drill/{entries[0]}/corrections", {"fields": {"people": 23}})
    plain = await at_work(islands, "guardians", "plain", Role.OFFICER, JETTY)
    monkeypatch.setattr(commands, "LISTED_MAX", 2)
    page = await plain.open("/registers/drill")
    address = f"/registers/entries/{entries[0]}"
    assert address not in page.links
    page = await plain.open("/registers/drill" + next(one for one in page.links if one.startswith("?cursor=")))
    assert address in page.links
    page = await plain.open(address)
    assert ("People: 23" in page.words, "People: 17" in page.words) == (True, True)
    assert "/registers/entries" not in str([form.action for form in page.forms])


async def test_a_colleague_who_has_gone_stands_where_she_was_written(islands: World) -> None:
    fields = islands["guardians"].edge.here.programme.records["drill"].fields
    led_by = RecordField.model_validate({"label": "Led by", "type": "staff", "required": True})
    with_drill(islands, fields={**fields, "led_by": led_by})
    await islands["guardians"].sign_in("gone", Role.OFFICER, JETTY)
    chief = await islands["guardians"].sign_in("chief", Role.SUPERVISOR, JETTY)
    async with islands["guardians"].database.write() as tx:
        gone = str((await find_account(tx, "gone")).id)
    entry = await chief.post("/records/drill", {"fields": {"people": 17, "led_by": gone}})
    async with islands["guardians"].database.write() as tx:
        (await find_account(tx, "gone")).is_disabled = True
    plain = await at_work(islands, "guardians", "plain", Role.OFFICER, JETTY)
    page = await plain.open("/registers/drill")
    assert "Led by: gone" in page.words
    assert gone not in page.form("/registers/drill").choices["r_led_by"]  # nobody writes her down anew
    address = f"/registers/entries/{entry['entry_id']}"
    await plain.send((await plain.open(address)).form(address), r_people="18")
    now = (await chief.ask("GET", f"/records/drill/{entry['entry_id']}")).json()[-1]
    assert now["said"] == {"people": 18, "led_by": gone}


async def test_who_sees_the_whole_agency_says_at_which_place_it_is_kept(islands: World) -> None:
    here = islands["guardians"].edge.here
    kinds = {here.kind_of_place(id_): id_ for id_ in here.entry.facilities}
    own = str(here.kind_of_place(next(iter(here.entry.facilities))))
    other = next(kind for kind in kinds if kind is not None and kind != own)
    with_drill(islands, kept_at=(other,))
    boss = await at_work(islands, "guardians", "boss", Role.SUPERVISOR, None)
    page = await boss.send((await boss.open("/registers/drill")).form("/registers/drill"), r_people="12")
    assert (page.status, "People: 12" in page.words) == (200, True)
    async with islands["guardians"].database.read() as tx:
        kept = (await tx.session.execute(select(col(RegisterEntry.facility)))).scalar_one()
    assert here.kind_of_place(kept) == other
    nobodys = await at_work(islands, "guardians", "elsewhere", Role.OFFICER, next(iter(here.entry.facilities)))
    assert "/registers/drill" not in (await nobodys.open("/registers")).links
