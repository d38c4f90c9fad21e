"""The page of a programme's indicators, its pictures, the file that may leave of it, and the alarm where one is past its limit."""

import csv
import io
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from xml.etree import ElementTree as ET

import pyrage
import pytest
from agencies import Desk, World, consent, refer
from box import BATCH, CLINIC, STATION, came, certified, count, give, stock
from hotline import CALL, HUYE, ROOM, on_duty, with_hotline
from reported import Report, report
from shift import at_work
from signing_in import PIN
from sqlalchemy import select
from sqlmodel import col
from visitor import Page, Visitor

from services.police.main import COUNTS
from shared.casework.accounts.barred import kept
from shared.casework.accounts.commands import find_account
from shared.casework.figures.domain import span
from shared.casework.figures.leaving import IN_CUBES
from shared.casework.figures.programme import programme_of
from shared.casework.figures.tables import FigureRelease
from shared.casework.figures.words import DURATIONS, FORMULAS, MEASURES, WHY
from shared.contracts.casework.codes import AgeBand, IncidentType, Role, Sex
from shared.programmes.indicators import Alarm, Duration, Formula, Indicator, Measure, WhyExpected
from shared.programmes.profile import Programme

PAGE = "/figures/programme"
READER = pyrage.x25519.Identity.generate()
WISH = {"purpose": "monthly_report", "because": "=2+5 the ministry asked for it", "recipient_key": str(READER.to_public())}
SVG = "{http://www.w3.org/2000/svg}"


async def a_day(world: World) -> None:
    """Three report, two are sent, one comes; doses are given and the box is counted."""
    desk, second = await certified(world), await certified(world, "officer-2")
    await stock(desk, 5)
    for n in range(3):
        case_id, incident_id = await came(world, desk)
        await give(desk, case_id, incident_id)
        if n:
            await consent(desk, case_id, "health", "needs", "fb")
            referral = await refer(desk, case_id, incident_id, "health")
    await count(desk, second, {BATCH: 2})
    await world.settle()
    nurse = await world["health"].sign_in("nurse-of-the-day", Role.CLINICIAN, CLINIC)
    await nurse.post(f"/referrals/{referral['id']}/arrive", {"feedback": True})


def rows(page: Page) -> dict[str, list[str]]:
    """The first table's cells by the name of their indicator, in the order in which they stand."""
    table = page.text.split("<tbody", 1)[1].split("</tbody>", 1)[0]
    found = {}
    for row in re.findall(r"<tr.*?</tr>", table, re.DOTALL):
        name, *cells = (
            " ".join(re.sub(r"<[^>]*>", " ", cell).split()) for cell in re.findall(r"<t[hd].*?</t[hd]>", row, re.DOTALL)
        )
        found[name] = cells
    return found


def row(page: Page, name: str) -> list[str]:
    """The cells of an indicator."""
    return next(cells for words, cells in rows(page).items() if words.startswith(name))


async def test_each_indicator_stands_with_its_value_what_it_is_of_and_what_is_expected(world: World) -> None:
    await a_day(world)
    inspector = await at_work(world, "police", "chief", Role.SUPERVISOR, None)
    page = await inspector.open(PAGE)
    assert "Reports, not prevalence" in page.words
    assert "no place is ranked" in page.words
    assert row(page, "Doses of emergency contraception")[0] == "3"
    assert row(page, "Doses of emergency contraception")[1] == "357: the programme’s report says so"
    assert row(page, "Doses that no register explains") == ["0", "0: what must not happen (assumption)", "stays here"]
    assert row(page, "Cases of sexual violence with a health referral") == ["0.667", "–", "stays here"]
    assert row(page, "Stations") == ["2", "5: the programme’s report says so", "leaves as it is"]
    assert row(page, "Came")[0] == "nothing to compute it from yet", (
        "nothing was sent to the police; who came is counted at the clinic"
    )
    assert row(page, "Served")[0] == "of both ends of a referral: only where agencies are added up"
    assert row(page, "Reports of sexual violence, change in %")[0] == "nothing to compute it from yet"
    assert "Divided: of these, with a referral to health ÷ cases of sexual violence that began here." in page.words
    assert "Which they are is not shown." in page.words
    clinic = await at_work(world, "health", "in-charge", Role.SUPERVISOR, None)
    theirs = await clinic.open(PAGE)
    assert (row(theirs, "Came")[0], row(theirs, "Doses of emergency contraception")[0]) == ("1.000", "no records of it here")
    assert (row(theirs, "Stations")[0], row(page, "Health facilities")) == (
        "no records of it here", ["no records of it here", "17: the programme’s report says so", "stays here"],
    )  # fmt: skip
    assert "Referrals on which somebody came by place, 2026" in theirs.words
    month = await inspector.open(f"{PAGE}?period=2025-12")
    assert (row(month, "Doses of emergency contraception")[0], row(month, "Stations")[0]) == ("0", "2")
    assert (await inspector.open(f"{PAGE}?period=1999")).status == 409


@pytest.mark.parametrize("language", ["en", "fa_AF"])
async def test_pictures_say_their_numbers_in_words_and_their_tables_stand_beneath(world: World, language: str) -> None:
    await report(world["police"], [(IncidentType.RAPE, AgeBand.A10_14, Sex.FEMALE, STATION)] * 3)
    inspector = await at_work(world, "police", "chief", Role.SUPERVISOR, None)
    if language != "en":
        await inspector.send((await inspector.open("/me")).form("/me/language"), button=("language", language))
    page = await inspector.open(PAGE)
    pictures = [ET.fromstring(one) for one in re.findall(r"<svg xmlns.*?</svg>", page.text, re.DOTALL)]
    assert len(pictures) == 2
    months, places = pictures
    assert months.get("direction") == places.get("direction") == ("rtl" if language == "fa_AF" else "ltr")
    said = [picture.findtext(f"{SVG}desc") or "" for picture in pictures]
    assert said[0].count("3") >= 1
    order = [one.name for one in world["police"].here.entry.facilities.values()]
    assert said[1] == f"{order[0]}: 3; {order[1]}: 0", "in the order of the network, whatever the numbers"
    for point in said[1].split("; "):
        name, _, number = point.rpartition(": ")
        assert re.search(rf'<th scope="row"[^>]*>{re.escape(name)}</th><td[^>]*>{number}</td>', page.text)
    assert "style=" not in page.text.split("<main", 1)[1]
    assert len(monthly(page)) == 15


def monthly(page: Page) -> dict[str, dict[str, str]]:
    """The ministry's monthly figures: by what stands above each group of numbers, these by their names."""
    found: dict[str, dict[str, str]] = {}
    for group in page.text.split('id="monthly"', 1)[1].split("<tbody")[1:]:
        head, *lines = re.findall(r"<tr.*?</tr>", group.split("</tbody>", 1)[0], re.DOTALL)
        cells = [re.findall(r"<t[hd].*?</t[hd]>", line, re.DOTALL) for line in lines]
        told = [[" ".join(re.sub(r"<[^>]*>", " ", cell).split()) for cell in line] for line in cells]
        found[" ".join(re.sub(r"<[^>]*>", " ", head).split())] = {name: more[0] if more else "" for name, *more in told}
    return found


async def test_each_monthly_figure_stands_with_its_numbers_of_the_period_at_her_places(world: World) -> None:
    await a_day(world)
    chief = await at_work(world, "police", "chief", Role.SUPERVISOR, None)
    page = await chief.open(f"{PAGE}?period=2026-01")
    told = monthly(page)
    assert told["1. Reports by type, sex, age group, first or again (there)"] == {
        "Reports leaves as far as it was released": "3", "Reports of sexual violence leaves as far as it was released": "3",
        "By type, age, sex, and first or again: on the page of released figures": "",
    }  # fmt: skip
    assert "/figures?period=2026-01" in page.links
    delay = "Hours from what happened to the report, of sexual violence"
    arrival = "Hours from what happened to the arrival in care"
    assert told["2. Hours until a report, and until arrival in care (in part)"] == {
        f"{delay}: up to 72 hours": "3", f"{delay}: up to 120 hours": "0", f"{delay}: later": "0",
        "Half of them took no longer: hours from what happened to the report, of sexual violence.": "20.0",
        f"{arrival}, of requests sent while a window of care was open": "no records of it here",
    }  # fmt: skip
    offered = told["3. Offered, accepted, sent, seen, came, finished, and why not (in part)"]
    assert (offered["Cases in which care was offered"], offered["Referrals sent leaves as far as it was released"]) == ("2", "2")
    assert offered["Of what was sent to here: referrals on which somebody came"] == "0", "who came of hers the clinic counts"
    assert offered["That there was no way there, or that a fee was the reason"] == "no records yet"
    stock = told["5. Days without stock, and what two counted (there)"]
    assert stock == {
        "Days on which a box had nothing to give leaves as it is": "0", "Locked boxes with a book": "1",
        "Locked boxes that two have counted": "1", "Doses that two have counted": "2",
        "Doses by which a box and its book differ": "0",
    }  # fmt: skip
    assert told["14. Outreach: sessions, people reached (no records of it here)"] == {}
    assert (
        told["15. Completeness: places that reported, sheets still open (there)"]["Places at which something was written down"]
        == "1"
    )
    assert "no place is ranked" in page.words
    before = monthly(await chief.open(f"{PAGE}?period=2025-12"))
    assert before["1. Reports by type, sex, age group, first or again (there)"]["Reports leaves as far as it was released"] == "0"
    elsewhere = await at_work(world, "police", "other", Role.SUPERVISOR, "masaiti_vsu")
    theirs = monthly(await elsewhere.open(f"{PAGE}?period=2026-01"))
    assert theirs["1. Reports by type, sex, age group, first or again (there)"]["Reports leaves as far as it was released"] == "0"
    clinic = await at_work(world, "health", "in-charge", Role.SUPERVISOR, None)
    at_clinic = monthly(await clinic.open(f"{PAGE}?period=2026-01"))
    assert at_clinic["4. What was given among those who came in time (there)"] == {
        "Arrivals while HIV protection may still be begun": "1", "Of these, given emergency contraception": "0",
        "Of these, given HIV protection": "0", "Of these, given protection from other infections": "0",
    }  # fmt: skip
    there = at_clinic["3. Offered, accepted, sent, seen, came, finished, and why not (in part)"]
    assert there["Of what was sent to here: referrals on which somebody came"] == "1"
    delay = "Hours from what happened to the arrival in care, of requests sent while a window of care was open"
    arrived = at_clinic["2. Hours until a report, and until arrival in care (in part)"]
    assert (arrived[f"{delay}: up to 72 hours"], arrived[f"{delay}: later"]) == ("1", "0")


async def test_an_indicator_that_names_a_year_is_of_that_year_whatever_was_counted_in_the_one_that_is_shown(world: World) -> None:
    desk, second = await certified(world), await certified(world, "officer-2")
    await stock(desk, 5)
    await count(desk, second, {BATCH: 3})
    police = world["police"]
    name = police.here.programme.name
    own = {
        "differs": Indicator(name=name, formula=Formula.COUNT, of=Measure.STOCK_VARIANCE, year=2026),
        "left": Indicator(
            name=name, formula=Formula.BALANCE, plus=(Measure.STOCK_COUNTED,), minus=(Measure.STOCK_DISPENSED,), year=2026
        ),
    }  # fmt: skip
    here = replace(police.here, programme=with_indicators(police.here.programme, **own))
    for shown in ("2026", "2026-01", "2027", "2025"):
        async with police.database.read() as tx:
            found = await programme_of(tx, here, COUNTS, span(shown))
        told = {line.id: (line.value, line.is_held) for line in found.lines if line.id in own}
        assert told == {"differs": (2.0, True), "left": (3.0, True)}, shown


async def test_services_that_do_not_answer_are_named_with_how_long_somebody_waits(world: World) -> None:
    desk = await world["police"].sign_in("officer-there", Role.OFFICER, STATION)
    inspector = await at_work(world, "police", "chief", Role.SUPERVISOR, None)
    assert "None: whoever was asked has answered something in that time." in (await inspector.open(PAGE)).words
    for _ in range(2):
        case_id, incident_id = await came(world, desk)
        await consent(desk, case_id, "health", "needs")
        referral = await refer(desk, case_id, incident_id, "health")
    asked_on = world.clock.now()
    await world.settle()
    world.clock.advance(timedelta(days=31))
    chief, other = [
        await at_work(world, "police", name, Role.SUPERVISOR, at)
        for name, at in (("lead-here", STATION), ("lead-there", "masaiti_vsu"))
    ]
    page = await chief.open(PAGE)
    assert silent(page) == ["Ndola one-stop clinic", f"{asked_on:%A} {asked_on.day} {asked_on:%B}", "2"]
    assert "None: whoever was asked" in (await other.open(PAGE)).words, "nobody waits at her place"
    nurse = await world["health"].sign_in("nurse-there", Role.CLINICIAN, CLINIC)
    await nurse.post(f"/referrals/{referral['id']}/acknowledge")
    await world.settle()
    assert "None: whoever was asked" in (await chief.open(PAGE)).words


def silent(page: Page) -> list[str]:
    """The cells of the list of services that do not answer."""
    table = page.text.split('id="silent"', 1)[1].split("<h2", 1)[0]
    return [" ".join(re.sub(r"<[^>]*>", " ", cell).split()) for cell in re.findall(r"<t[hd] .*?</t[hd]>", table)][3:]


async def asks_the_clinic(world: World, name: str, place: str) -> tuple[str, str]:
    """A case at a place, and its request."""
    desk = await world["police"].sign_in(name, Role.OFFICER, place)
    case_id, incident_id = await came(world, desk)
    await consent(desk, case_id, "health", "needs", "fb")
    referral = await refer(desk, case_id, incident_id, "health")
    await world.settle()
    return case_id, referral["id"]


async def test_what_another_desk_asked_and_what_is_kept_from_her_is_in_no_line(world: World) -> None:
    await asks_the_clinic(world, "there", STATION)
    world.clock.advance(timedelta(days=3))
    case_id, _referral = await asks_the_clinic(world, "here", "masaiti_vsu")
    asked_on = world.clock.now()
    world.clock.advance(timedelta(days=31))
    lead = await at_work(world, "police", "lead-here", Role.SUPERVISOR, "masaiti_vsu")
    assert silent(await lead.open(PAGE))[1:] == [f"{asked_on:%A} {asked_on.day} {asked_on:%B}", "1"]
    async with world["police"].database.write() as tx:
        (await find_account(tx, "lead-here")).never = kept(frozenset({UUID(case_id)}))
    assert (await lead.open(f"/cases/{case_id}")).status == 404
    assert silent(await lead.open(PAGE)) == []


async def test_a_place_that_says_that_somebody_came_is_not_silent(world: World) -> None:
    _case, referral = await asks_the_clinic(world, "here", STATION)
    nurse = await world["health"].sign_in("nurse-1", Role.CLINICIAN, CLINIC)
    await nurse.post(f"/referrals/{referral}/accept", {})
    await world.settle()
    await asks_the_clinic(world, "again", STATION)
    world.clock.advance(timedelta(days=32))
    lead = await at_work(world, "police", "lead-here", Role.SUPERVISOR, STATION)
    assert silent(await lead.open(PAGE))[2:] == ["1"]
    nurse = await world["health"].sign_in("nurse-2", Role.CLINICIAN, CLINIC)
    await nurse.post(f"/referrals/{referral}/arrive", {"feedback": True})
    await world.settle()
    assert silent(await lead.open(PAGE)) == []


async def test_nobody_but_a_supervisor_is_shown_it_and_she_sees_her_places(world: World) -> None:
    await report(world["police"], [(IncidentType.RAPE, AgeBand.A10_14, Sex.FEMALE, STATION)] * 3)
    officer = await at_work(world, "police", "officer", Role.OFFICER)
    administrator = await at_work(world, "police", "admin", Role.ADMINISTRATOR, None)
    for visitor in (officer, administrator):
        for path in (PAGE, "/figures/2026/programme/export"):
            assert (await visitor.open(path)).status == 403
    elsewhere = await at_work(world, "police", "other", Role.SUPERVISOR, "masaiti_vsu")
    page = await elsewhere.open(PAGE)
    assert "Masaiti, Victim Support Unit: 0" in page.text
    assert "Ndola Central, Victim Support Unit: " not in page.text


# --- what leaves -----------------------------------------------------------------------------------------------------------


async def file(visitor: Visitor, of: str = "2026", **more: object) -> list[list[str]]:
    """The lines of the file, without the number that each ends with, and without its mark."""
    page = await visitor.open(f"/figures/{of}/programme/export")
    fields: dict[str, Any] = {**WISH, "pin": PIN, **more}
    ready = await visitor.send(page.form(f"/figures/{of}/programme/export"), **fields)
    assert ready.status == 200, ready.words
    plain = pyrage.decrypt((await visitor.client.get(f"{ready.path}/file")).content, [READER]).decode("utf-8-sig")
    assert not [cell for line in csv.reader(io.StringIO(plain)) for cell in line if cell.startswith(("=", "+", "-", "@", "\t"))]
    return [line[:-1] for line in csv.reader(io.StringIO(plain)) if line[0] in ("indicator", "measure")]


async def test_nothing_of_people_leaves_until_a_cube_is_released_and_then_as_it_was(world: World) -> None:
    inspector = await at_work(world, "police", "chief", Role.SUPERVISOR, STATION)
    before = await file(inspector)
    desk = await certified(world)
    await a_day_of_people(world, desk)
    assert await file(inspector) == before, "no number of people is in it"
    told = {line[1]: line[3] for line in before if line[0] == "indicator"}
    assert (told["stations"], told["ec_doses"], told["adverse"], told["referred_to_health"]) == ("2", "–", "–", "–")
    of_stock = await file_after_stock(world, desk, inspector)
    # What was taken from a box at one station in one month is how many women were given something there.
    assert {line[1] for line in of_stock if line[1].startswith("stock_")} <= {"stock_out_days"}
    assert ["indicator", "box_variance", "", "–", "0"] in of_stock
    many: list[Report] = [(IncidentType.RAPE, AgeBand.A18_24, Sex.FEMALE, STATION)] * 20
    await report(world["police"], many)
    world.clock.advance(datetime(2026, 2, 2, 8, tzinfo=UTC) - world.clock.now())
    inspector = await at_work(world, "police", "chief-later", Role.SUPERVISOR, STATION)
    page = await inspector.open("/figures?period=2026-01")
    await inspector.send(page.form("/figures/2026-01/release"))
    (released,) = [line[3] for line in await file(inspector, "2026-01") if line[1] == "sexual_reports"]
    assert released == "23"
    assert [line[3] for line in await file(inspector) if line[1] == "sexual_reports"] == ["–"], "not every month was released"
    await report(world["police"], many, datetime(2026, 1, 30, 9, tzinfo=UTC))
    later = await file(inspector, "2026-01")
    assert [line[3] for line in later if line[1] == "sexual_reports"] == ["23"], "as it was released"
    # Of the monthly figures there is what a released cube has and nothing else of people.
    of_people = {line[1]: line[3] for line in later if line[0] == "measure" and not line[2]}
    assert (of_people["reports"], of_people["reports_sexual_violence"], of_people["referrals_issued"]) == ("23", "23", "–")
    assert set(of_people) - {"stock_out_days", "districts", *map(str, IN_CUBES)} == set(), "nothing that is not in a cube"
    assert all(line[3] == "–" for line in before if line[0] == "measure" and line[1] in map(str, IN_CUBES))


@pytest.fixture(autouse=True)
def counted_reports(world: World) -> None:
    """The world's police count reports of sexual violence as an indicator of their own, beside those of the programme."""
    before = world["police"]
    own = Indicator(name=before.here.programme.name, formula=Formula.COUNT, of=Measure.REPORTS_SEXUAL_VIOLENCE)
    programme = with_indicators(before.here.programme, sexual_reports=own)
    before.here = replace(before.here, programme=programme)
    before.edge.here = before.edge.pages.here = before.here


def with_indicators(programme: Programme, **more: Indicator) -> Programme:
    return programme.model_copy(update={"indicators": {**programme.indicators, **more}})


async def a_day_of_people(world: World, desk: Desk) -> None:
    for n in range(3):
        case_id, incident_id = await came(world, desk)
        if n:
            await consent(desk, case_id, "health", "needs")
            await refer(desk, case_id, incident_id, "health")
    await desk.post("/dispensing/reports", {"product": "emergency_contraception", "code": "sold", "batch": BATCH})
    await desk.post(f"/cases/{case_id}/progress", {"code": "pressure_to_settle"})


async def file_after_stock(world: World, desk: Desk, inspector: Visitor) -> list[list[str]]:
    second = await certified(world, "officer-2")
    await stock(desk, 5)
    await count(desk, second, {BATCH: 5})
    return await file(inspector)


async def test_of_two_files_of_a_years_calls_nobody_sees_how_few_were_entered_between_them(world: World) -> None:
    police = with_hotline(world)
    await on_duty(police, HUYE)
    taker = await police.sign_in("taker", Role.OFFICER, ROOM)
    for _ in range(20):
        await taker.post("/calls", CALL)
    inspector = await at_work(world, "police", "chief", Role.SUPERVISOR, None)
    assert told_of_calls(await file(inspector)) == {"calls_unrouted": "–"}, "the year is not over"
    world.clock.advance(datetime(2027, 1, 5, 8, tzinfo=UTC) - world.clock.now())
    inspector = await at_work(world, "police", "chief-later", Role.SUPERVISOR, None)
    taker = await police.sign_in("taker-later", Role.OFFICER, ROOM)
    seen = []
    for late in (0, 3, 6, 1, 1):
        for _ in range(late):
            await taker.post("/calls", {**CALL, "came_at": "2026-12-31T12:00:00+00:00"})
        seen.append(told_of_calls(await file(inspector)))
    assert [one["calls"] for one in seen] == ["20", "20", "20", "30", "30"]
    assert [one["calls_unrouted"] for one in seen] == ["0", "0", "0", "10", "10"], "nobody is on duty a year later"
    async with police.database.read() as tx:
        query = select(FigureRelease).where(col(FigureRelease.period) == "2026").order_by(col(FigureRelease.number))
        kept = [one.shown for one in (await tx.session.execute(query)).scalars()]
    assert kept == [{"calls": {"calls": n, "unrouted": rest}} for n, rest in ((20, 0), (30, 10))]


def told_of_calls(lines: list[list[str]]) -> dict[str, str]:
    return {line[1]: line[3] for line in lines if line[1] in ("calls", "calls_unrouted")}


async def test_a_file_leaves_by_her_own_hand_alone(world: World) -> None:
    inspector = await at_work(world, "police", "chief", Role.SUPERVISOR, STATION)
    page = await inspector.open("/figures/2026/programme/export")
    for wrong in ({"pin": "0000"}, {"because": "why"}, {"recipient_key": "age1nobody"}):
        fields: dict[str, Any] = {**WISH, "pin": PIN, **wrong}
        assert (await inspector.send(page.form("/figures/2026/programme/export"), **fields)).status == 422
    await file(inspector)
    listed = await inspector.open("/exports")
    assert "Indicators of the programme" in listed.words


# --- alarms ----------------------------------------------------------------------------------------------------------------


async def alarms(desk: Desk) -> list[str]:
    return [one["kind"] for one in (await desk.get("/alarms"))["items"]]


async def test_an_indicator_past_its_limit_is_an_alarm_until_it_is_not_any_more(world: World) -> None:
    police = world["police"]
    limit = Alarm.model_validate({"above": 1, "source": "D"})
    own = Indicator(name=police.here.programme.name, formula=Formula.COUNT, of=Measure.REPORTS, alarm=limit)
    police.here = replace(police.here, programme=with_indicators(police.here.programme, reports=own))
    police.edge.here = police.edge.pages.here = police.watcher._here = police.here
    supervisor = await police.sign_in("lead", Role.SUPERVISOR, None)
    for many, raised in ((1, []), (1, ["indicator_past"]), (1, ["indicator_past"])):
        await report(police, [(IncidentType.RAPE, AgeBand.A10_14, Sex.FEMALE, STATION)] * many)
        world.clock.advance(timedelta(hours=1))
        await police.watcher.tick()
        await police.watcher.tick()
        await police.flush()
        assert await alarms(supervisor) == raised
    inspector = await at_work(world, "police", "chief", Role.SUPERVISOR, None)
    page = await inspector.open(PAGE)
    assert "A post is told above 1. (assumption) It is past that now, and a post is told." in page.words
    assert 'href="/figures/programme"' in (await inspector.open("/alarms")).text
    world.clock.advance(datetime(2027, 1, 2, tzinfo=UTC) - world.clock.now())
    await police.watcher.tick()
    await police.flush()
    later = await police.sign_in("lead-later", Role.SUPERVISOR, None)
    assert await alarms(later) == [], "it is another year"


async def test_a_desk_that_nobody_is_at_raises_one_alarm_and_not_another_for_the_coverage(world: World) -> None:
    police = with_hotline(world)
    await on_duty(police, HUYE)
    await police.watcher.tick()
    await police.flush()
    supervisor = await police.sign_in("lead", Role.SUPERVISOR, None)
    assert set(await alarms(supervisor)) == {"desk_unmanned"}
    inspector = await at_work(world, "police", "chief", Role.SUPERVISOR, None)
    assert row(await inspector.open(PAGE), "Stations with a ready desk, in %")[0] == "25.0"


def test_every_measure_duration_and_formula_has_a_word() -> None:
    assert (set(MEASURES), set(DURATIONS), set(FORMULAS), set(WHY)) == (set(Measure), set(Duration), set(Formula), set(WhyExpected))
    assert len(COUNTS) == len(set(COUNTS)), "nothing is counted twice"
