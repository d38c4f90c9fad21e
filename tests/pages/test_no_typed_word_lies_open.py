"""What is typed into the pages' own free fields, sent, hidden or refused, lies in the clear nowhere in the database.

What the API takes, and every file of real servers, is searched by `tests/journeys/test_canaries.py`.
"""

from pathlib import Path

from agencies import TestAgency, World
from shift import at_work
from signing_in import PIN, hide_of
from sqlalchemy import func, select, text
from visitor import Visitor

from shared.casework.accounts.tables import Draft
from shared.casework.alarms.tables import Alarm
from shared.contracts.casework.codes import Role


async def lies_open(agency: TestAgency, word: str) -> list[str]:
    """The tables, or the files, in which a word stands in small letters or capitals."""
    url = agency.database.engine.url
    if agency.database.dialect == "sqlite":
        files = [Path(f"{url.database}{end}") for end in ("", "-wal")]
        return [file.name for file in files if file.exists() and word.encode() in file.read_bytes().lower()]
    async with agency.database.read() as tx:
        tables = text("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
        found = []
        for (table,) in (await tx.session.execute(tables)).all():
            rows = (await tx.session.execute(text(f"SELECT lower(t::text) FROM {table} AS t"))).scalars()
            wanted = (word, word.encode().hex(), word.upper().encode().hex())  # bytes are shown in hexadecimal
            found += [table for row in rows if any(one in row for one in wanted)]
        return found


def stands_in_an_address(visitor: Visitor, word: str) -> list[str]:
    """Where a browser's history, a proxy's log or a `Referer` would have it: what was asked for, redirected to, or offered."""
    return [one for one in visitor.addresses if word in one.lower()]


async def drafts(agency: TestAgency) -> int:
    async with agency.database.read() as tx:
        return int((await tx.session.execute(select(func.count()).select_from(Draft))).scalar_one())


async def unlocked(visitor: Visitor) -> None:
    await visitor.send((await visitor.open("/locked")).form("/locked"), pin=PIN)


async def test_a_resolution_of_an_alarm_lies_sealed_as_a_draft_and_when_it_is_sent(world: World) -> None:
    clinic, word = world["health"], "cnryresolution"
    visitor = await at_work(world, "health", "in-charge", Role.SUPERVISOR)
    async with clinic.database.write() as tx:
        await clinic.hooks.trouble("unopenable", "police", {}, tx)
    async with clinic.database.read() as tx:
        alarm = (await tx.session.execute(select(Alarm))).scalars().one()
    await visitor.send((await visitor.open("/alarms")).form(f"/alarms/{alarm.id}/take"))
    asked = await visitor.open(f"/alarms/{alarm.id}/resolve")
    await visitor.send(hide_of(asked.form(asked.path)), note=f"{word} was phoned")
    assert await drafts(clinic) == 1
    assert await lies_open(clinic, word) == []
    await unlocked(visitor)
    again = (await visitor.open(f"{asked.path}?kept=1")).form(asked.path)
    assert again.fields["note"] == [f"{word} was phoned"]  # it is there, for whoever typed it
    assert (await visitor.send(again)).path == "/alarms"
    async with clinic.database.read() as tx:
        assert (await tx.session.get_one(Alarm, alarm.id)).resolution == f"{word} was phoned"
    assert await lies_open(clinic, word) == []
    assert stands_in_an_address(visitor, word) == []
    await visitor.open(f"/alarms?said={word}")
    assert stands_in_an_address(visitor, word)  # such a word is found
    async with clinic.database.write() as tx:
        await tx.session.execute(text("UPDATE casework_alarms SET kind = :word"), {"word": word})
    assert await lies_open(clinic, word)  # here too


async def test_what_is_typed_from_a_sheet_of_paper_lies_sealed_as_a_draft_and_nowhere_once_it_is_refused(world: World) -> None:
    clinic, word = world["health"], "cnrysheet"
    visitor = await at_work(world, "health", "nurse-1", Role.CLINICIAN)
    form = (await visitor.open("/paper/print")).form("/paper/print")
    await visitor.send(form, facility="ndola_clinic", kind="visit", count=1)
    entered = (await visitor.open("/paper")).form("/paper/enter")
    assert (await visitor.send(entered, number=word, code=word)).status == 422
    if any(action == "/hide" for _, _, action in entered.buttons):
        await visitor.send(hide_of(entered), number=word, code=word)
        assert await drafts(clinic) == 1
        await unlocked(visitor)
    assert await lies_open(clinic, word) == []
