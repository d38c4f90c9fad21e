"""What leaves an agency: figures with what is small hidden, and files that only their recipient can read."""

import csv
import hashlib
import io
import re
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pyrage
import pytest
from agencies import World, consent, open_case
from attack import Attack, withstands
from reported import Report, report
from shift import at_work
from signing_in import PIN
from sqlalchemy import func, select, update
from sqlmodel import col
from visitor import Page, Visitor

from services.figures import figures_now, in_words
from shared.casework.accounts.commands import find_account
from shared.casework.accounts.tables import CaseRead
from shared.casework.cases.tables import Case
from shared.casework.exports.tables import Export, ExportFile
from shared.casework.eyes.barred import bar
from shared.casework.figures.commands import tables_of
from shared.casework.figures.tables import FigureRelease
from shared.casework.here import Actor
from shared.casework.inside import INSIDE
from shared.contracts.casework.codes import AgeBand, IncidentType, Role, Sex
from shared.exchange.inside import log_inside
from shared.exchange.tables import InsideRow
from shared.exchange.verify import verify
from shared.kit.ids import new_id

RAPE, ASSAULT, HIT = IncidentType.RAPE, IncidentType.SEXUAL_ASSAULT, IncidentType.PHYSICAL_ASSAULT
GIRL, YOUNG, WOMAN = AgeBand.A10_14, AgeBand.A15_17, AgeBand.A25_49
CENTRAL, OUTLYING = "ndola_central_vsu", "masaiti_vsu"
F, M = Sex.FEMALE, Sex.MALE
A_MONTH: list[Report] = [
    *[(RAPE, GIRL, F, CENTRAL)] * 14, *[(RAPE, YOUNG, F, CENTRAL)] * 4, *[(ASSAULT, GIRL, F, OUTLYING)] * 11,
    *[(HIT, WOMAN, F, CENTRAL)] * 22, *[(HIT, WOMAN, M, CENTRAL)] * 3, (ASSAULT, WOMAN, F, CENTRAL),
]  # fmt: skip


def to(world: World, day: str) -> None:
    world.clock.advance(datetime.fromisoformat(f"{day}T08:00:00+00:00").astimezone(UTC) - world.clock.now())


async def reported_and_over(world: World) -> Visitor:
    """January's reports are in, and it is February: a supervisor looks."""
    await report(world["police"], A_MONTH)
    to(world, "2026-02-02")
    return await at_work(world, "police", "inspector", Role.SUPERVISOR)


async def released(visitor: Visitor, name: str = "2026-01") -> Page:
    page = await visitor.open(f"/figures?period={name}")
    return await visitor.send(page.form(f"/figures/{name}/release"))


async def now_of(world: World, name: str = "2026-01") -> dict:
    async with world["police"].database.read() as tx:
        return await figures_now(tx, world["police"].here, name)


async def releases(world: World) -> list[FigureRelease]:
    async with world["police"].database.read() as tx:
        return list((await tx.session.execute(select(FigureRelease).order_by(col(FigureRelease.released_at)))).scalars())


async def test_a_month_is_released_and_nobody_works_out_what_it_hides(world: World) -> None:
    visitor = await reported_and_over(world)
    preview = await visitor.open("/figures")  # the newest month that is over
    assert "Not released yet" in preview.words
    assert "Reports, not prevalence" in preview.words
    assert "stands for a number that is hidden: from 1 to 9" in preview.words
    proposed = await now_of(world)
    page = await released(visitor)
    assert "Released Monday 2 February" in page.words
    assert "Nothing has changed since the last release." in page.words
    (one,) = await releases(world)
    assert one.shown["reports"]["values"][""] == len(A_MONTH)
    assert one.counted is not None
    assert one.counted["reports"]["age=15-17"] == 4
    found = await now_of(world)
    assert (found["released"], proposed["released"]) == (True, False)
    assert found["cubes"] == proposed["cubes"]
    numbers = next(cube for cube in found["cubes"] if cube["id"] == "reports")["numbers"]
    assert (numbers["age=15-17"], numbers["incident=rape|age=15-17"]) == (None, None)
    assert not [k for k, value in numbers.items() if value is not None and 0 < value < 10]
    table = tables_of(one.shown)["reports"]
    attack = Attack()
    assert table.values is not None
    attack.sees("reports", table.chain, dict(table.categories), dict(table.values))
    withstands(attack, {"reports": dict(table.values)})
    said = in_words(found, world.clock.now()).splitlines()
    assert re.fullmatch(r".*, January 2026: release 1, \d+ \w+ 2026, \d\d:\d\d \(UTC\+02:00\)\.", said[0]), said[0]
    assert {"What was reported: Together: 55", "Age: 15 to 17: –"} <= set(said)
    assert any(line.startswith("Place: Masaiti") for line in said)


async def test_places_stand_by_name_whatever_their_numbers(world: World) -> None:
    busy = [(HIT, WOMAN, F, OUTLYING)] * 40 + [(HIT, WOMAN, F, CENTRAL)] * 20
    names = [world["police"].here.facility(place).name for place in (CENTRAL, OUTLYING)]
    for heavier in (OUTLYING, CENTRAL):
        await report(world["police"], busy if heavier == OUTLYING else [(HIT, WOMAN, F, CENTRAL)] * 60)
        to(world, "2026-02-02" if heavier == OUTLYING else "2026-03-02")
        visitor = await at_work(world, "police", f"inspector-{heavier}", Role.SUPERVISOR)
        page = await visitor.open("/figures")
        rows = re.findall(r'<th scope="row" class="govuk-table__header">([^<]*)</th>', page.text)
        found = [row for row in rows if row in names]
        assert found == sorted(names), "a table never ranks stations"


@pytest.mark.parametrize("world", ["postgresql"], indirect=True)
async def test_figures_are_the_agencys_whoever_looks(world: World) -> None:
    """Where the database itself keeps cases back: a place's supervisor, and one from whom a case is kept, count what all do."""
    await report(world["police"], A_MONTH)
    async with world["police"].database.read() as tx:
        case = (await tx.session.execute(select(Case).where(col(Case.facility) == CENTRAL).limit(1))).scalar_one()
    to(world, "2026-02-02")
    whole = await at_work(world, "police", "commander", Role.SUPERVISOR, None)
    at_a_place = await at_work(world, "police", "inspector", Role.SUPERVISOR, OUTLYING)
    kept_away = await at_work(world, "police", "relative", Role.SUPERVISOR, None)
    async with world["police"].database.write() as tx:
        account = await find_account(tx, "relative")
        await bar(tx, account, case.id, Actor(new_id(), "another", Role.SUPERVISOR, None))
    shown = [(await one.open("/figures")).text.count(">55<") for one in (whole, at_a_place, kept_away)]
    assert shown[0] > 0
    assert len(set(shown)) == 1
    await released(at_a_place)
    (one,) = await releases(world)
    assert one.shown["reports"]["values"][""] == len(A_MONTH)


async def test_a_few_late_entries_are_held_back_and_many_are_released(world: World) -> None:
    visitor = await reported_and_over(world)
    await released(visitor)
    in_january = datetime(2026, 1, 30, 9, tzinfo=UTC)  # as the sheets say that are entered late
    await report(world["police"], [(RAPE, GIRL, F, CENTRAL)] * 3, in_january)
    page = await visitor.open("/figures?period=2026-01")
    assert "held back: whoever compares the two would see single late entries" in page.words
    assert not [form for form in page.forms if form.action.endswith("/release")]
    me = (await visitor.open("/me")).form("/sign-out")
    me.action = "/figures/2026-01/release"
    assert (await visitor.send(me)).status == 409
    await report(world["police"], [(RAPE, GIRL, F, CENTRAL)] * 30, in_january)
    page = await released(visitor)
    assert "It is release 2 of this period." in page.words
    first, second = await releases(world)
    was, now = first.shown["reports"]["values"], second.shown["reports"]["values"]
    assert now[""] == was[""] + 33
    assert not [k for k in now if was[k] is None and now[k] is not None]
    assert not [k for k in now if now[k] is not None and was[k] is not None and 0 < abs(now[k] - was[k]) < 10]


async def test_a_quarter_is_the_sum_of_its_months_or_stands_instead_of_them(world: World) -> None:
    visitor = await reported_and_over(world)
    assert "not over yet" in (await visitor.open("/figures?period=2026-02")).words
    await released(visitor)
    for day in ("2026-02-10", "2026-03-10"):
        to(world, day)
        await report(world["police"], A_MONTH)
    to(world, "2026-04-02")
    visitor = await at_work(world, "police", "chief", Role.SUPERVISOR)
    assert "Some months of this quarter have been released" in (await visitor.open("/figures?period=2026-Q1")).words
    for name in ("2026-02", "2026-03", "2026-Q1"):
        await released(visitor, name)
    *months, quarter = await releases(world)
    for key, value in quarter.shown["reports"]["values"].items():
        parts = [month.shown["reports"]["values"][key] for month in months]
        assert value == (None if None in parts else sum(parts)), "it says nothing that the months do not"
    to(world, "2026-05-10")
    await report(world["police"], A_MONTH)
    to(world, "2026-07-02")
    visitor = await at_work(world, "police", "chief-2", Role.SUPERVISOR)
    await released(visitor, "2026-Q2")
    assert "A month of it beside it would show what is hidden" in (await visitor.open("/figures?period=2026-05")).words


async def test_nobody_but_a_supervisor_sees_figures_or_takes_files(world: World) -> None:
    for name, role in (("officer-1", Role.OFFICER), ("admin", Role.ADMINISTRATOR)):
        visitor = await at_work(world, "police", name, role)
        for path in ("/figures", "/exports", "/figures/2025-12/export"):
            assert (await visitor.open(path)).status == 403, (name, path)


# --- files -------------------------------------------------------------------------------------------------------------

SHE = pyrage.x25519.Identity.generate()
WISH = {"purpose": "monthly_report", "because": "=2+5 the ministry asked for January", "recipient_key": str(SHE.to_public())}


async def take(visitor: Visitor, path: str = "/figures/2026-01/export", **more: object) -> Page:
    page = await visitor.open(path)
    fields: dict[str, Any] = {**WISH, "pin": PIN, **more}
    return await visitor.send(page.form(path), **fields)


async def fetched(visitor: Visitor, ready: Page) -> bytes:
    return (await visitor.client.get(f"{ready.path}/file")).content


async def exports(world: World) -> list[Export]:
    async with world["police"].database.read() as tx:
        return list((await tx.session.execute(select(Export).order_by(col(Export.id)))).scalars())


async def test_a_file_of_figures_is_encrypted_marked_and_logged(world: World) -> None:
    visitor = await reported_and_over(world)
    assert (await take(visitor)).status == 404  # not released yet
    await released(visitor)
    ready = await take(visitor)
    assert "The file is ready" in ready.words
    file = await fetched(visitor, ready)
    assert file.startswith(b"age-encryption.org/v1")
    (one,) = await exports(world)
    assert one.digest == hashlib.sha256(file).hexdigest()
    assert (one.what, one.period, one.purpose, one.because) == ("figures", "2026-01", "monthly_report", WISH["because"])
    plain = pyrage.decrypt(file, [SHE])
    lines = list(csv.reader(io.StringIO(plain.decode("utf-8-sig"))))
    assert {line[-1] for line in lines} == {str(one.id)}, "every line leads back to who took it"
    marked = {line[0]: line[1] for line in lines if len(line) == 3}
    assert marked["handed out by"] == "inspector"
    assert marked["because"] == "'" + WISH["because"]
    for_people = lines[: lines.index(["export", str(one.id), str(one.id)])]
    assert ["What was reported", "Together", "55", str(one.id)] in for_people
    assert ["Age", "15 to 17", "–", str(one.id)] in for_people
    assert any(line[0] == "Place" and line[1].startswith("Ndola Central") for line in for_people)
    assert any(line[0].startswith("Handed out by inspector, ") for line in for_people)
    assert ["reports", "total", "", "", "", "55", str(one.id)] in lines
    assert ["reports", "age", "15-17", "", "", "–", str(one.id)] in lines
    assert not [cell for line in lines for cell in line if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]
    found = await visitor.open(f"/exports?id={one.id}")
    assert "inspector" in found.words
    assert "Monthly report to the ministry" in found.words
    async with world["police"].database.write() as tx:
        kept = await tx.session.get(ExportFile, one.id)
        assert kept is not None
        assert b"reports" not in kept.file
    await log_inside(world["police"].database, INSIDE)
    async with world["police"].database.read() as tx:
        query = select(func.count()).where(col(InsideRow.source).in_(["casework_exports", "casework_figure_releases"]))
        assert (await tx.session.execute(query)).scalar_one() == 2


async def test_who_took_a_file_and_what_was_released_cannot_be_changed_unnoticed(world: World) -> None:
    visitor, police = await reported_and_over(world), world["police"]
    await released(visitor)
    await take(visitor)
    await log_inside(police.database, INSIDE)
    assert (await verify(police.database, "police", police.seal, INSIDE)).is_good
    async with police.database.write() as tx:
        await tx.session.execute(update(Export).values(purpose="oversight"))
        await tx.session.execute(update(FigureRelease).values(shown={}))
    found = (await verify(police.database, "police", police.seal, INSIDE)).findings
    assert {one.table for one in found} == {"casework_exports", "casework_figure_releases"}


async def test_no_file_leaves_without_her_pin_or_a_key_that_can_be_encrypted_to(world: World) -> None:
    visitor = await reported_and_over(world)
    await released(visitor)
    page = await take(visitor, pin="314159")
    assert (page.status, "That is not your PIN." in page.words) == (422, True)
    assert (await take(visitor, recipient_key="age1nobody")).status == 422
    assert (await take(visitor, because="why")).status == 422
    assert await exports(world) == []
    for _ in range(5):  # who guesses is signed out, as at a locked page
        await take(visitor, pin="314159")
    assert (await visitor.open("/figures")).path.startswith("/sign-in")


async def test_a_file_is_fetched_by_whoever_made_it_and_for_a_quarter_of_an_hour(world: World) -> None:
    visitor = await reported_and_over(world)
    await released(visitor)
    ready = await take(visitor)
    other = await at_work(world, "police", "other", Role.SUPERVISOR)
    assert (await other.open(ready.path)).status == 404
    assert (await other.client.get(f"{ready.path}/file")).status_code == 404
    to(world, "2026-02-02")
    world.clock.advance(datetime(2026, 2, 2, 8, 16, tzinfo=UTC) - world.clock.now())
    again = await at_work(world, "police", "third", Role.SUPERVISOR)
    await take(again)  # a new one clears those that are over
    async with world["police"].database.read() as tx:
        assert (await tx.session.execute(select(func.count()).select_from(ExportFile))).scalar_one() == 1
    assert len(await exports(world)) == 2, "that it was made stays known"


async def test_who_was_told_and_who_looked_is_handed_over_and_that_is_a_look_too(world: World) -> None:
    desk = await world["police"].sign_in("desk")
    case_id, _incident = await open_case(desk)
    given = await consent(desk, case_id, "health", "fb")
    await desk.get(f"/cases/{case_id}")
    stranger = await world["police"].sign_in("stranger", facility=OUTLYING)
    assert (await stranger.ask("GET", f"/cases/{case_id}")).status_code == 404
    await desk.take_back(case_id, given)
    visitor = await at_work(world, "police", "inspector", Role.SUPERVISOR)
    ready = await take(visitor, f"/cases/{case_id}/export", purpose="she_asked", because="She came and asked who has seen it.")
    (one,) = await exports(world)
    lines = list(csv.reader(io.StringIO(pyrage.decrypt(await fetched(visitor, ready), [SHE]).decode("utf-8-sig"))))
    told = [line[1:4] for line in lines if len(line) == 5 and line[1] != "what"]
    assert ["agreed", "health", "req fb"] in told
    assert ["taken back", "health", ""] in told
    assert ["looked", "officer", "attempt"] in told
    for_people = [line[0:2] for line in lines[: lines.index(["export", str(one.id), str(one.id)])]]
    said = [words for when, words in for_people if when.endswith("(UTC+02:00)")]
    assert any(re.match("Agreed that .* may know: The request, and by when; ", words) for words in said)
    assert any(words.startswith("Took back what ") for words in said)
    assert any(words.endswith(": Tried to open it; nothing was shown.") for words in said)
    assert not [words for words in said if "desk" in words.split(",")[0] or "stranger" in words]
    times = [line[0] for line in lines if len(line) == 5 and line[1] != "what"]
    assert times == sorted(times)
    assert {"looked"} == {what for what, *_ in told} - {"agreed", "taken back"}
    assert "desk" not in {who for what, who, _ in told if what == "looked"}, "roles, not names"
    assert one.case_id is not None
    async with world["police"].database.read() as tx:
        looks = (await tx.session.execute(select(col(CaseRead.what)).where(CaseRead.case_id == one.case_id))).scalars().all()  # type: ignore[arg-type]
    assert "export" in looks
    assert "Handed this list over in a file." in (await visitor.open(f"/cases/{case_id}/looked")).words
    wrong = await visitor.open(f"/cases/{case_id}/export")
    assert "monthly_report" not in wrong.form(f"/cases/{case_id}/export").choices["purpose"]


async def test_whoever_a_case_is_kept_from_finds_no_file_of_it_either(world: World) -> None:
    desk = await world["police"].sign_in("desk")
    case_id, _incident = await open_case(desk)
    visitor = await at_work(world, "police", "inspector", Role.SUPERVISOR)
    ready = await take(visitor, f"/cases/{case_id}/export", purpose="she_asked", because="She came and asked who has seen it.")
    assert "She came and asked" in (await visitor.open("/exports")).words
    async with world["police"].database.write() as tx:
        account = await find_account(tx, "inspector")
        await bar(tx, account, UUID(case_id), Actor(new_id(), "another", Role.SUPERVISOR, None))
    page = await visitor.open("/exports")
    assert (page.status, "She came and asked" in page.words) == (200, False)
    assert (await visitor.open(ready.path)).status == 404
    assert (await visitor.client.get(f"{ready.path}/file")).status_code == 404
