"""Pages of a complaint, without JavaScript, in both directions: care goes on first, what is told goes by her safe way."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from agencies import World, open_case
from shift import at_work, officer
from visitor import Visitor

from shared.casework.cases.commands import keep_safe_hours
from shared.contracts.casework.codes import Role, SafeHours

STATION = "ndola_central_vsu"
SHEETS = ("complaint/register", "complaint/step", "complaint/withdraw", "complaint/reopen", "complaint/explained", "breach")
CARE_GOES_ON = "Care and every request that was sent go on."


async def a_case(world: World, name: str = "desk") -> str:
    desk = await world["police"].sign_in(name, Role.OFFICER, STATION)
    case_id, _incident = await open_case(desk)
    return f"/cases/{case_id}"


async def fill(visitor: Visitor, path: str, **answers: Any) -> Any:
    return await visitor.send((await visitor.open(path)).form(path), **answers)


async def test_a_complaint_from_register_to_withdrawal_with_what_is_to_be_told(world: World) -> None:
    case, visitor = await a_case(world), await officer(world, facility=STATION)
    page = await visitor.open(case)
    assert {f"{case}/complaint", f"{case}/breach"} <= set(page.links)
    steps = page.form(f"{case}/progress").choices
    assert not {"complaint_registered", "complaint_withdrawn", "complaint_reopened"} & set(steps.get("code", []))
    page = await visitor.open(f"{case}/complaint")
    assert "Nobody needs one for care." in page.words
    assert f"{case}/complaint/withdraw" not in page.links
    page = await fill(visitor, f"{case}/complaint/register", number=" fir/12 /26", told_now="yes")
    assert page.path == f"{case}/complaint"
    assert "FIR/12/26" in page.words
    assert "To tell the complainant" not in page.words
    page = await fill(visitor, f"{case}/complaint/step", code="hearing_date")
    assert (page.status, "Type the day of the hearing" in page.words) == (422, True)
    await fill(visitor, f"{case}/complaint/step", code="charged")
    work = await visitor.open("/work")
    assert "To tell the complainant" in work.words
    assert "Only on the next visit here." in work.words
    assert "Nobody is called who has not agreed to it." in work.words
    assert f"{case}/complaint" in work.links
    page = await visitor.open(f"{case}/complaint/withdraw")
    assert page.words.index(CARE_GOES_ON) < page.words.index("Who asked?")
    page = await fill(
        visitor, f"{case}/complaint/withdraw", asked_by="family", where="court", pressure="yes", asked_alone="no", is_safe="yes"
    )
    assert (page.status, "Leave this empty where nobody asked alone." in page.words) == (422, True)
    page = await fill(
        visitor, f"{case}/complaint/withdraw", asked_by="family", where="court", pressure="yes", asked_alone="yes", is_safe="no"
    )
    assert "The complaint was withdrawn" in page.words
    assert "help comes first." in page.words
    assert f"{case}/refer" in page.links
    page = await fill(visitor, f"{case}/complaint/reopen", reason="was_pressed")
    assert "The complaint goes on" in page.words


async def test_a_day_in_court_that_is_taken_back_says_only_what_is_so(world: World) -> None:
    case, visitor = await a_case(world), await officer(world, facility=STATION)
    await fill(visitor, f"{case}/complaint/register", told_now="yes")
    page = await fill(visitor, f"{case}/complaint/step", code="hearing_date", hearing_on="2066-01-10")
    assert (page.status, "Choose a day within the next three years" in page.words) == (422, True)
    page = await fill(visitor, f"{case}/complaint/step", code="hearing_date", hearing_on="2027-01-10", told_now="yes")
    assert "Hearing date set: Sunday 10 January 2027" in page.words  # another year is said
    page = await fill(visitor, f"{case}/complaint/step", code="hearing_date", hearing_on="2026-03-02")
    assert "Hearing date set: Monday 2 March" in (await visitor.open("/work")).words
    world.clock.advance(timedelta(minutes=5))
    for _hearing in range(2):
        off = next(form for form in page.forms if form.action == f"{case}/complaint/hearing-off")
        page = await visitor.send(off)
    assert f"{case}/complaint/hearing-off" not in [form.action for form in page.forms]
    off_words = "A hearing will not be on the day that was told: Sunday 10 January 2027"
    assert (off_words in page.words, "Was not safe" in page.words) == (True, False)
    assert "Hearing taken back: Monday 2 March" in page.words  # of which nobody was told
    work = (await visitor.open("/work")).words
    assert (off_words in work, "Hearing date set" in work) == (True, False)


async def test_a_milestone_is_told_in_the_hours_that_were_said_and_after_one_that_was_not_safe_only_here(world: World) -> None:
    case, visitor = await a_case(world), await officer(world, facility=STATION)
    async with world["police"].database.write() as tx:
        by = world["police"].here.actor(UUID(int=1), "somebody", Role.OFFICER, STATION)
        await keep_safe_hours(UUID(case.split("/")[2]), SafeHours.MORNING, tx, by)
    page = await fill(visitor, f"{case}/complaint/register")
    assert "A message is safe only in the morning." in page.words
    assert "Safe in the morning." in (await visitor.open("/work")).words
    ways = [form.fields.get("how", form.fields["outcome"]) for form in page.forms if form.action == f"{case}/complaint/told"]
    assert ways == [["when_she_came"], ["in_safe_hours"], ["not_safe"]]
    page = await visitor.send(next(form for form in page.forms if form.fields.get("outcome") == ["not_safe"]))
    assert "Only on the next visit here." in page.words
    ways = [form.fields.get("how", form.fields["outcome"]) for form in page.forms if form.action == f"{case}/complaint/told"]
    assert ways == [["when_she_came"], ["not_safe"]]
    page = await visitor.send(page.form(f"{case}/complaint/told"))
    assert "To tell the complainant" not in page.words
    assert "To tell the complainant" not in (await visitor.open("/work")).words


async def test_what_was_explained_and_what_went_against_the_protocol_is_counted_for_the_supervisor(world: World) -> None:
    case, visitor = await a_case(world), await officer(world, facility=STATION)
    page = await fill(
        visitor,
        f"{case}/complaint/explained",
        topics=["costs", "her_rights"],
        language="bem",
        interpreter="no",
        post="duty_officer",
    )
    assert "What it costs, and what is free" in page.words
    page = await fill(visitor, f"{case}/breach", code="mediation_attempted", by_whom="family")
    assert "Somebody tried to mediate" in page.words
    await fill(visitor, f"{case}/pressure")  # somebody presses for a settlement
    assert (await visitor.open("/complaints")).status == 403
    lead = await at_work(world, "police", "lead", Role.SUPERVISOR, STATION)
    board = await lead.open("/alarms")
    assert "Something was done or demanded against the protocol" in board.words
    assert "mediate" not in board.words
    assert "/complaints" in board.links
    page = await lead.open("/complaints")
    assert "A nought does not prove that nobody was pressed." in page.words
    assert "Somebody tried to mediate 1" in page.words
    assert "Pressure to settle 1" in page.words
    assert (await lead.open("/complaints?month=2026-13")).status == 409


async def test_every_page_stands_in_both_directions(world: World) -> None:
    case, visitor = await a_case(world), await officer(world, facility=STATION)
    await fill(visitor, f"{case}/complaint/register", number="FIR/1/26")
    await fill(
        visitor, f"{case}/complaint/withdraw", asked_by="she", where="station", pressure="no", asked_alone="yes", is_safe="yes"
    )
    for direction in ("ltr", "rtl"):
        if direction == "rtl":
            await visitor.send((await visitor.open("/me")).form("/me/language"), button=("language", "fa_AF"))
        for path in (f"{case}/complaint", *(f"{case}/{sheet}" for sheet in SHEETS), "/work"):
            page = await visitor.open(path)
            assert (page.status, f'dir="{direction}"' in page.text, "<h1" in page.text) == (200, True, True), path
        page = await visitor.open(f"{case}/complaint")
        assert '<bdi class="app-code" dir="ltr">FIR/1/26</bdi>' in page.text


async def test_on_a_case_of_any_agency_pressure_and_a_breach_are_written_down(world: World) -> None:
    for kind, role, place in (
        ("health", Role.CLINICIAN, "ndola_clinic"), ("social_welfare", Role.SOCIAL_WORKER, "ndola_district_office"),
    ):  # fmt: skip
        desk = await world[kind].sign_in("desk", role, place)
        case_id = (await desk.post("/cases", {}))["id"]
        visitor = await at_work(world, kind, "somebody", role, place)
        page = await fill(visitor, f"/cases/{case_id}/pressure")
        assert "Pressure to settle" in page.words
        lines = (await desk.get(f"/cases/{case_id}/timeline"))["items"]
        kept = [line["detail"]["code"] for line in lines if line["kind"] == "case.progress"]
        assert kept == ["pressure_to_settle"]
        assert (await visitor.open(f"/cases/{case_id}/complaint")).status == 404, "a complaint is the police's own"
        page = await fill(visitor, f"/cases/{case_id}/breach", code="police_report_demanded", by_whom="health")
        assert "A police report was demanded before care" in page.words
        kept = await desk.get(f"/cases/{case_id}/breaches")
        assert [(one["code"], one["by_whom"]) for one in kept["items"]] == [("police_report_demanded", "health")]
        lead = await world[kind].sign_in("lead", Role.SUPERVISOR, place)
        counted = (await lead.get(f"/breaches/figures?month={world.clock.now():%Y-%m}"))["breaches"]
        assert {code for code, number in counted.items() if number} == {"police_report_demanded"}
        assert [one["kind"] for one in (await lead.get("/alarms"))["items"]] == ["breach"]
