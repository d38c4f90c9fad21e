"""Numbered sheets, entering them afterwards with their own times, and the hub that works for a place without a line."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from agencies import Desk, World, consent, open_case, refer
from desk_pages import to_place, to_sent
from hypothesis import given
from hypothesis import strategies as st
from shift import at_work
from signing_in import settled_account, sign_in
from sqlalchemy import select
from visitor import OWN_PAGE, Page, Visitor

from services.health.care.tables import CareGiven
from shared.casework.accounts.commands import find_account
from shared.casework.alarms.watcher import Watcher
from shared.casework.cases.commands import ENTERED_WITHIN
from shared.casework.cases.tables import Case
from shared.casework.here import Actor
from shared.casework.paper.commands import SheetKind, read_number, sheet_number, sheet_of_request, written_at
from shared.casework.paper.pages import sheet_text
from shared.casework.paper.sheets import MARGIN_MM, Row, SheetText, sheets_pdf, sides_of
from shared.casework.paper.tables import Sheet
from shared.casework.referrals.tables import Referral, ReferralFact, WalkIn
from shared.contracts.casework.codes import Role
from shared.kit.errors import Conflict
from shared.kit.ids import new_id
from shared.kit.pdf import Document

WRITTEN: dict[str, Any] = {"on_date": "2026-01-05", "at_time": "04:10"}  # on the wall clock of the programme, two hours before UTC
WRITTEN_UTC = datetime(2026, 1, 5, 2, 10, tzinfo=UTC)


@given(st.sampled_from(SheetKind), st.integers(1, 99_999), st.data())
def test_a_number_is_read_as_it_is_typed_and_a_slip_of_the_pen_is_noticed(kind: SheetKind, count: int, data: st.DataObject) -> None:
    number = sheet_number(kind, count)
    assert read_number(number.lower().replace("-", data.draw(st.sampled_from(["", " ", "-"])))) == number
    place = data.draw(st.integers(2, 6))
    other = data.draw(st.sampled_from([d for d in "0123456789" if d != number[place]]))
    with pytest.raises(Conflict):
        read_number(number[:place] + other + number[place + 1 :])
    if place < 6 and number[place] != number[place + 1]:
        with pytest.raises(Conflict):
            read_number(number[:place] + number[place + 1] + number[place] + number[place + 2 :])


async def nurse(world: World) -> Visitor:
    visitor = Visitor(world["health"].app)
    await sign_in(visitor, await settled_account(world["health"]))
    return visitor


async def printed(visitor: Visitor, facility: str, kind: str, count: int = 3) -> tuple[Page, list[str]]:
    page = await visitor.open("/paper/print")
    page = await visitor.send(page.form("/paper/print"), facility=facility, kind=kind, count=count)
    words = page.words.split()
    first, last = (w for w in words if w[1:2] == "-")
    return page, [first, last]


async def test_sheets_are_numbered_without_a_gap_and_printed_as_pdf(world: World) -> None:
    visitor = await nurse(world)
    page, (first, last) = await printed(visitor, "masaiti_clinic", "visit")
    assert (first, last) == (sheet_number(SheetKind.VISIT, 1), sheet_number(SheetKind.VISIT, 3))
    link = next(one for one in page.links if one.endswith(".pdf"))
    answer = await visitor.client.get(link)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/pdf")
    assert answer.content.startswith(b"%PDF")
    assert answer.content.count(b"/Type /Page\n") == 3
    _page, (first, last) = await printed(visitor, "ndola_clinic", "visit", 1)
    assert first == last == sheet_number(SheetKind.VISIT, 4)
    stranger = Visitor(world["health"].app)
    issued = await settled_account(world["health"], "doctor-1")
    await sign_in(stranger, issued, "doctor-1")
    assert (await stranger.open(link)).status == 200  # the same place
    assert "Masaiti clinic Visit sheet 3 0" in (await visitor.open("/paper")).words


async def test_a_visit_on_paper_is_entered_for_its_place_with_its_own_time(world: World) -> None:
    desk = await world["police"].sign_in("desk")
    case_id, incident_id = await open_case(desk)
    await consent(desk, case_id, "health", "fb", "needs")
    body = {"case_id": case_id, "incident_id": incident_id, "to_agency": "health", "to_facility": "masaiti_clinic",
            "services": ["injury_care"], "urgency": "acute"}  # fmt: skip
    world.clock.advance(timedelta(hours=-7))  # at one o'clock in the night
    issued = await desk.post("/referrals", body)
    code = (await desk.get(f"/referrals/{issued['id']}"))["arrival_code"]
    world.clock.advance(timedelta(hours=7))
    await world.settle()
    visitor = await nurse(world)
    inbox = await visitor.open("/work")  # the hub's inbox holds what was sent to the place without a line
    assert f"/referrals/{issued['id']}" in inbox.links
    _page, (number, _last) = await printed(visitor, "masaiti_clinic", "visit")
    form = (await visitor.open("/paper")).form("/paper/enter")
    page = await visitor.send(form, number=number, code=code, feedback="yes", **WRITTEN)
    care = f"/care/{issued['id']}"
    assert page.path == f"{care}?sheet={number}", page.words
    page = await visitor.send(page.form(care), care_injury_care="given")
    assert page.path == f"/referrals/{issued['id']}"
    again = await visitor.send((await visitor.open("/paper")).form("/paper/enter"), number=number, code=code, **WRITTEN)
    assert (again.status, "entered already" in again.words) == (422, True)
    await world.settle()
    seen = await desk.get(f"/referrals/{issued['id']}")
    assert seen["status"] == "in_service"
    async with world["health"].database.read() as tx:
        facts = {f.type: f for f in (await tx.session.execute(select(ReferralFact))).scalars()}
        sheet = await tx.session.get(Sheet, number)
    assert sheet is not None
    assert sheet.written_at == WRITTEN_UTC
    arrived = next(f for name, f in facts.items() if name.endswith(".arrived"))
    assert (arrived.entered_for, arrived.occurred_at) == ("masaiti_clinic", WRITTEN_UTC)
    assert next(f for name, f in facts.items() if name.endswith(("in_service", "started"))).entered_for == "masaiti_clinic"


async def test_what_a_place_says_by_phone_is_entered_by_its_hub_with_the_time(world: World) -> None:
    desk = await world["police"].sign_in("desk")
    case_id, incident_id = await open_case(desk)
    await consent(desk, case_id, "health")
    body = {"case_id": case_id, "incident_id": incident_id, "to_agency": "health", "to_facility": "masaiti_clinic",
            "services": ["injury_care"], "urgency": "acute"}  # fmt: skip
    issued = await desk.post("/referrals", body)
    await world.settle()
    world.clock.advance(timedelta(minutes=30))
    visitor = await nurse(world)
    page = await visitor.open(f"/referrals/{issued['id']}")
    assert "000 200 003" in page.words
    form = page.form(f"/referrals/{issued['id']}/entered")
    half = await visitor.send(form, what="acknowledge", at_time="10:05")
    assert (half.status, "both" in half.words) == (422, True)
    page = await visitor.send(form, what="acknowledge", on_date="2026-01-05", at_time="10:05")
    assert page.status == 200
    await world.settle()
    assert (await desk.get(f"/referrals/{issued['id']}"))["status"] == "acknowledged"
    async with world["health"].database.read() as tx:
        rows = (await tx.session.execute(select(ReferralFact))).scalars()
        fact = next(f for f in rows if f.type.endswith(".acknowledged"))
    assert (fact.entered_for, fact.occurred_at) == ("masaiti_clinic", datetime(2026, 1, 5, 8, 5, tzinfo=UTC))


async def sent_before_the_power_went(world: World) -> tuple[str, str]:
    """A referral to the clinic that has a line, sent at one o'clock in the night: (id, the code that she may speak)."""
    desk = await world["police"].sign_in("desk")
    case_id, incident_id = await open_case(desk)
    await consent(desk, case_id, "health", "fb")
    world.clock.advance(timedelta(hours=-7))
    issued = await refer(desk, case_id, incident_id, "health")
    world.clock.advance(timedelta(hours=7))
    await world.settle()
    return issued["id"], (await desk.get(f"/referrals/{issued['id']}"))["arrival_code"]


async def sheet_entered(visitor: Visitor, **written: Any) -> tuple[Page, str]:
    """A sheet of the night at the clinic, entered by the day's clerk: (the page that follows, its number)."""
    _page, (number, _last) = await printed(visitor, "ndola_clinic", "visit")
    form = (await visitor.open("/paper")).form("/paper/enter")
    return await visitor.send(form, number=number, **WRITTEN, **written), number


async def entered_facts(world: World) -> dict[str, tuple[str | None, datetime]]:
    """What the clinic says of its referral: for whom it was entered, and when it happened."""
    async with world["health"].database.read() as tx:
        rows = (await tx.session.execute(select(ReferralFact))).scalars()
        return {fact.type.removeprefix("referral."): (fact.entered_for, fact.occurred_at) for fact in rows if fact.is_own}


async def care_kept(world: World) -> dict[str, datetime]:
    async with world["health"].database.read() as tx:
        return {row.care: row.occurred_at for row in (await tx.session.execute(select(CareGiven))).scalars()}


async def test_what_was_given_in_the_night_without_power_keeps_the_sheets_time_and_place(world: World) -> None:
    referral, code = await sent_before_the_power_went(world)
    visitor = await nurse(world)
    page, number = await sheet_entered(visitor, code=code, feedback="yes")
    assert page.path == f"/care/{referral}?sheet={number}", page.words
    form = page.form(f"/care/{referral}")
    assert (form.fields["on_date"], form.fields["at_time"]) == ([WRITTEN["on_date"]], [WRITTEN["at_time"]])
    page = await visitor.send(form, button=("then", "close"), care_pep="given", next_visit="2026-02-01")
    assert page.path == f"/referrals/{referral}", page.words
    assert await care_kept(world) == {"pep": WRITTEN_UTC}
    facts = await entered_facts(world)
    assert {facts[name] for name in ("accepted", "arrived", "in_service", "closed")} == {("ndola_clinic", WRITTEN_UTC)}
    # What is kept afterwards, without the sheet, happens when it is typed.
    await visitor.send((await visitor.open(f"/care/{referral}")).form(f"/care/{referral}"), care_tetanus="given")
    assert await care_kept(world) == {"pep": WRITTEN_UTC, "tetanus": world.clock.now()}


async def test_a_time_on_the_page_goes_before_the_sheets(world: World) -> None:
    visitor = await nurse(world)
    page, number = await sheet_entered(visitor)
    care = page.path.partition("?")[0]
    assert page.path == f"{care}?sheet={number}"
    assert care.startswith("/care/arrivals/"), page.words  # nobody was asked for a number
    form = page.form(care)
    await visitor.send(form, care_pep="given", at_time="04:40")
    await visitor.send(form, button=("then", "close"), care_tetanus="given")
    assert await care_kept(world) == {"pep": WRITTEN_UTC + timedelta(minutes=30), "tetanus": WRITTEN_UTC}
    async with world["health"].database.read() as tx:
        walk_in = (await tx.session.execute(select(WalkIn))).scalars().one()
    assert (walk_in.facility, walk_in.came_at, walk_in.ended_at) == ("ndola_clinic", WRITTEN_UTC, WRITTEN_UTC)


async def test_the_sheet_goes_along_while_its_request_is_looked_for(world: World) -> None:
    referral, code = await sent_before_the_power_went(world)
    visitor = await nurse(world)
    page, number = await sheet_entered(visitor, code="111111" if code != "111111" else "222222")
    assert "/match?" in page.path
    without = next(one for one in page.links if one.startswith("/care/arrivals/"))
    assert without.endswith(f"?sheet={number}")
    form = next(f for f in page.forms if "referral_id" in f.choices)
    page = await visitor.send(form, referral_id=referral)
    assert page.path == f"/care/{referral}?sheet={number}", page.words
    assert (await visitor.open(without)).path == page.path
    page = await visitor.send(page.form(f"/care/{referral}"), care_pep="given")
    assert page.path == f"/referrals/{referral}", page.words
    assert await care_kept(world) == {"pep": WRITTEN_UTC}
    facts = await entered_facts(world)
    assert {facts[name] for name in ("arrived", "in_service")} == {("ndola_clinic", WRITTEN_UTC)}


async def test_the_sheet_of_somebody_else_gives_no_times(world: World) -> None:
    visitor = await nurse(world)
    _page, others = await sheet_entered(visitor)
    page, _number = await sheet_entered(visitor)
    care = page.path.partition("?")[0]
    assert (await visitor.open(f"{care}?sheet={others}")).status == 404
    form = page.form(care)
    form.fields["sheet"] = [others]
    assert (await visitor.send(form, care_pep="given")).status == 404
    assert await care_kept(world) == {}


async def sent_to_masaiti(world: World) -> tuple[Desk, Any]:
    """A desk, and its referral to a place that works on paper, delivered."""
    desk = await world["police"].sign_in("desk")
    case_id, incident_id = await open_case(desk)
    await consent(desk, case_id, "health", "fb")
    body = {"case_id": case_id, "incident_id": incident_id, "to_agency": "health", "to_facility": "masaiti_clinic",
            "services": ["injury_care"], "urgency": "acute"}  # fmt: skip
    issued = await desk.post("/referrals", body)
    await world.settle()
    return desk, issued


async def taken_on_paper(world: World, *, came: bool) -> tuple[str, Desk]:
    """A referral that a place on paper has taken, and that its desk asks to cancel: (address, the desk)."""
    desk, issued = await sent_to_masaiti(world)
    program = await world["health"].sign_in("program", facility="masaiti_clinic")
    await program.post(f"/referrals/{issued['id']}/accept")
    if came:
        await program.post(f"/referrals/{issued['id']}/arrive", {"feedback": True})
        await program.post(f"/referrals/{issued['id']}/start")
    await world.settle()
    await desk.post(f"/referrals/{issued['id']}/cancel", {"reason_code": "no_longer_needed"})
    await world.settle()
    world.clock.advance(timedelta(minutes=30))
    return f"/referrals/{issued['id']}", desk


@pytest.mark.parametrize("came", [False, True])
@pytest.mark.parametrize("what", ["confirm-cancel", "refuse-cancel"])
async def test_what_a_place_on_paper_says_to_a_request_to_cancel_is_entered_by_its_hub(world: World, what: str, came: bool) -> None:
    referral, desk = await taken_on_paper(world, came=came)
    visitor = await nurse(world)
    page = await visitor.open(referral)
    assert "The desk asks to cancel this" in page.words
    form = page.form(f"{referral}/entered")
    assert {"confirm-cancel", "refuse-cancel"} <= set(form.choices["what"])
    page = await visitor.send(form, what=what, on_date="2026-01-05", at_time="10:05")
    assert page.status == 200, page.words
    assert not [f for f in page.forms if "confirm-cancel" in f.choices.get("what", [])]  # it is answered
    await world.settle()
    seen = await desk.get(referral)
    stands = "cancelled" if what == "confirm-cancel" else "in_service" if came else "accepted"
    assert (seen["status"], seen["cancel_pending"]) == (stands, False)
    async with world["health"].database.read() as tx:
        rows = (await tx.session.execute(select(ReferralFact))).scalars()
        fact = next(f for f in rows if f.type.endswith((".cancelled", ".cancel_refused")))
    assert (fact.entered_for, fact.occurred_at) == ("masaiti_clinic", datetime(2026, 1, 5, 8, 5, tzinfo=UTC))


async def test_somebody_who_came_to_a_place_by_phone_is_entered_there_with_the_time(world: World) -> None:
    desk, issued = await sent_to_masaiti(world)
    code = (await desk.get(f"/referrals/{issued['id']}"))["arrival_code"]
    world.clock.advance(timedelta(minutes=30))
    visitor = await nurse(world)
    form = (await visitor.open("/arrivals/new")).form("/arrivals/new")
    assert form.choices["facility"] == ["ndola_clinic", "masaiti_clinic"]  # her own, and the one that she works for
    assert form.fields["facility"] == ["ndola_clinic"]
    at_masaiti: dict[str, Any] = {"facility": "masaiti_clinic", "on_date": "2026-01-05"}
    half = await visitor.send(form, **at_masaiti)
    assert (half.status, "both the day and the time" in half.words) == (422, True)
    early = await visitor.send(half.form("/arrivals/new"), at_time="23:00")
    assert (early.status, "lies in the future" in early.words) == (422, True)
    assert early.form("/arrivals/new").fields["facility"] == ["masaiti_clinic"]
    page = await visitor.send(early.form("/arrivals/new"), at_time="10:05")  # nobody knew of a number
    assert (page.status, page.path) == (200, "/here-now")
    page = await visitor.send((await visitor.open("/arrivals/new")).form("/arrivals/new"), code=code, at_time="10:10", **at_masaiti)
    assert page.path == f"/referrals/{issued['id']}", page.words
    async with world["health"].database.read() as tx:
        walk_in = (await tx.session.execute(select(WalkIn))).scalars().one()
        case = await tx.session.get_one(Case, walk_in.case_id)
    assert (walk_in.facility, case.facility) == ("masaiti_clinic", "masaiti_clinic")
    assert walk_in.came_at == datetime(2026, 1, 5, 8, 5, tzinfo=UTC)
    assert (await entered_facts(world))["arrived"] == ("masaiti_clinic", datetime(2026, 1, 5, 8, 10, tzinfo=UTC))


async def test_a_clinic_that_works_for_no_other_is_not_asked_where_and_when(world: World) -> None:
    visitor = Visitor(world["health"].app)
    issued = await settled_account(world["health"])
    async with world["health"].database.write() as tx:
        (await find_account(tx, "nurse-1")).facility = "ndola_hospital"
    await sign_in(visitor, issued)
    form = (await visitor.open("/arrivals/new")).form("/arrivals/new")
    assert not {"facility", "on_date", "at_time"} & form.fields.keys()
    assert (await visitor.send(form)).path == "/here-now"


async def test_a_place_that_is_nobodys_hub_does_not_see_the_others_paper(world: World) -> None:
    visitor = await nurse(world)
    _page, (number, _last) = await printed(visitor, "masaiti_clinic", "visit")
    async with world["health"].database.write() as tx:
        (await find_account(tx, "nurse-1")).facility = "ndola_hospital"
    form = (await visitor.open("/paper")).form("/paper/enter")
    assert form.choices["feedback"]
    refused = await visitor.send(form, number=number, **WRITTEN)
    assert (refused.status, "No sheet of this place" in refused.words) == (422, True)
    for page in ("/paper", "/paper/print"):
        assert "Masaiti" not in (await visitor.open(page)).text


async def test_a_request_on_paper_becomes_a_case_and_a_referral_of_the_hour_it_was_written(world: World) -> None:
    visitor = Visitor(world["police"].app)
    await sign_in(visitor, await settled_account(world["police"], "officer-1", Role.OFFICER), "officer-1")
    _page, (number, _last) = await printed(visitor, "masaiti_vsu", "request")
    page = await visitor.send((await visitor.open("/paper")).form("/paper/enter"), number=number, **WRITTEN)
    assert page.path.startswith("/cases/new"), page.words
    page = await visitor.send(
        page.form("/cases/new"), hurt_now="no", age_band="18-24", sex="female", at_least=1, at_most=3, language="bem",
        came_with="nobody",
    )  # fmt: skip
    assert page.path.endswith("/consent"), page.words
    page = await visitor.send(
        page.form(page.path), answer_health="yes", answer_social_welfare="no", answer_back="yes", how="spoken", language="bem"
    )
    assert page.path.endswith("/refer"), page.words
    assert "2 km, about 8 minutes, there at 04:18" in page.words  # the way from that place to the nearest, from when it was written
    page = await visitor.send(
        page.form(page.path), care="acute_care", place="health/ndola_clinic", mode="on_foot", escort="alone", expected="05:20",
        carries="nothing",
    )  # fmt: skip
    assert page.path.startswith("/referrals/"), page.words
    async with world["police"].database.read() as tx:
        referral = (await tx.session.execute(select(Referral))).scalars().one()
        sheet = await tx.session.get(Sheet, number)
    assert sheet is not None
    assert sheet.case_id == referral.case_id
    assert (referral.issued_at, referral.from_facility) == (WRITTEN_UTC, "masaiti_vsu")
    assert referral.said is not None
    until = {w["care"]: w["until"] for w in referral.said["windows"]}
    assert until["pep"].startswith("2026-01-07T23:10")  # 72 h after the earliest moment: three hours before it was written
    expected = WRITTEN_UTC + timedelta(minutes=70)
    assert (referral.set_out_at, referral.expected_at) == (WRITTEN_UTC, expected)
    assert datetime.fromisoformat(referral.said["travel"]["expected_at"]) == expected
    await world.settle()
    async with world["police"].database.read() as tx:
        facts = {f.type: (f.entered_for, f.occurred_at) for f in (await tx.session.execute(select(ReferralFact))).scalars()}
    assert facts == dict.fromkeys(("referral.issued", "referral.set_out"), ("masaiti_vsu", WRITTEN_UTC))
    async with world["health"].database.read() as tx:
        received = (await tx.session.execute(select(Referral))).scalars().one()
    assert (received.set_out_at, received.expected_at) == (WRITTEN_UTC, expected)


async def test_what_a_desk_with_a_line_wrote_without_power_is_of_the_sheets_time_too(world: World) -> None:
    visitor = Visitor(world["police"].app)
    await sign_in(visitor, await settled_account(world["police"], "officer-1", Role.OFFICER), "officer-1")
    _page, (number, _last) = await printed(visitor, "ndola_central_vsu", "request", 1)
    await visitor.send((await visitor.open("/paper")).form("/paper/enter"), number=number, **WRITTEN)
    page = await to_place(visitor, await a_case_from(visitor, f"/cases/new?sheet={number}"))
    await to_sent(visitor, page, expected="04:40")
    async with world["police"].database.read() as tx:
        rows = list((await tx.session.execute(select(ReferralFact))).scalars())
        first = (await tx.session.execute(select(Referral).where(Referral.recipient == "health"))).scalars().one()  # type: ignore[arg-type]
    assert {(f.entered_for, f.occurred_at) for f in rows} == {("ndola_central_vsu", WRITTEN_UTC)}
    assert sorted(f.type for f in rows) == ["referral.issued", "referral.issued", "referral.set_out"]  # the office was told as well
    assert first.expected_at == WRITTEN_UTC + timedelta(minutes=30)


@pytest.mark.parametrize("kind", ["visit", "request"])
@pytest.mark.parametrize("on_date", ["0001-01-01", "0026-01-05", "2001-01-05", "2026-01-04"])
async def test_a_sheet_was_not_written_before_the_day_on_which_it_was_printed(world: World, kind: str, on_date: str) -> None:
    visitor = await nurse(world)
    _page, (number, _last) = await printed(visitor, "ndola_clinic", kind, 1)
    form = (await visitor.open("/paper")).form("/paper/enter")
    page = await visitor.send(form, number=number, on_date=on_date, at_time="00:10")
    assert (page.status, "This sheet was not printed yet on that day" in page.words) == (422, True)
    assert 'href="#on_date"' in page.text
    page = await visitor.send(page.form("/paper/enter"), on_date="2026-01-05")
    assert page.status == 200


async def test_an_act_on_the_first_day_of_all_is_asked_for_its_day_again(world: World) -> None:
    visitor = await nurse(world)
    page = await visitor.send((await visitor.open("/arrivals/new")).form("/arrivals/new"), on_date="0001-01-01", at_time="00:30")
    assert (page.status, "Choose the day, or leave day and time empty." in page.words) == (422, True)


LAST_NIGHT: dict[str, Any] = {"on_date": "2026-01-04", "at_time": "20:00"}  # fourteen hours before it is typed
LAST_NIGHT_UTC = datetime(2026, 1, 4, 18, tzinfo=UTC)


async def test_a_sheet_of_last_night_is_told_as_of_last_night_and_alarms_nobody_while_it_is_typed(world: World) -> None:
    desk = Visitor(world["police"].app)
    await sign_in(desk, await settled_account(world["police"], "officer-1", Role.OFFICER), "officer-1")
    clinic = await nurse(world)
    _page, (number, _last) = await printed(desk, "ndola_central_vsu", "request", 1)
    async with world["police"].database.write() as tx:
        (await tx.session.get_one(Sheet, number)).printed_at -= timedelta(days=1)
    written = f"Sheet {number}, written Sunday 4 January, 20:00."
    page = await desk.send((await desk.open("/paper")).form("/paper/enter"), number=number, **LAST_NIGHT)
    assert written in page.words
    wrong = await desk.send(page.form("/cases/new"), at_least=1, at_most=2)
    assert "Care works best in the next 56 hours." in wrong.words  # of 72: two before it was written, fourteen since
    clock = await desk.client.post("/cases/clock", data=as_typed(wrong.form("/cases/new").fields), headers=OWN_PAGE)
    assert "in the next 56 hours" in clock.text
    page = await to_place(desk, await a_case_from(desk, f"/cases/new?sheet={number}"))
    assert written in page.words
    referral = f"/referrals/{await to_sent(desk, page, expected='20:15')}"
    await world.settle()
    assert "Sent, and nobody has seen it" not in (await desk.open("/work")).words  # sent a moment ago
    seen = (await clinic.open("/work")).words
    assert "is on the way" not in seen
    assert "set out 4 Jan 20:00." in seen
    page = await desk.open(referral)
    assert written in page.words
    case = next(one for one in page.links if one.startswith("/cases/") and one.count("/") == 2)
    page = await desk.open(case)
    assert written in page.words
    timeline = page.words.split("One timeline")[1].split("Agreed to")[0]
    assert (timeline.count("Sunday 4 January"), timeline.count("Today")) == (1, 0)
    for agency in ("police", "health"):
        await Watcher(world[agency].database, world[agency].here).tick()
        assert "unacknowledged" not in await flags_at(world, agency)
    world.clock.advance(timedelta(minutes=61))
    for agency in ("police", "health"):
        await Watcher(world[agency].database, world[agency].here).tick()
        assert "unacknowledged" in await flags_at(world, agency)


def as_typed(fields: dict[str, list[str]]) -> dict[str, list[str]]:
    return {name: values for name, values in fields.items() if values}


async def flags_at(world: World, agency: str) -> set[str]:
    async with world[agency].database.read() as tx:
        rows = (await tx.session.execute(select(Referral).where(Referral.recipient == "health"))).scalars()  # type: ignore[arg-type]
        return {flag for row in rows for flag in row.flags}


async def a_case_from(visitor: Visitor, address: str) -> Page:
    form = (await visitor.open(address)).form("/cases/new")
    return await visitor.send(
        form, hurt_now="no", age_band="18-24", sex="female", at_least=1, at_most=3, language="bem", came_with="nobody"
    )


async def test_what_is_not_known_on_the_sheet_may_be_not_known_on_the_screen_and_an_entered_sheet_leads_to_its_case(
    world: World,
) -> None:
    visitor = Visitor(world["police"].app)
    await sign_in(visitor, await settled_account(world["police"], "officer-1", Role.OFFICER), "officer-1")
    page, (number, _last) = await printed(visitor, "ndola_central_vsu", "request", 1)
    sheet = await visitor.client.get(next(one for one in page.links if one.endswith(".pdf")))
    assert sheet.content.count(b"/Type /Page\n") == 2  # front and back
    await visitor.send((await visitor.open("/paper")).form("/paper/enter"), number=number, **WRITTEN)
    form = (await visitor.open(f"/cases/new?sheet={number}")).form("/cases/new")
    page = await visitor.send(
        form, hurt_now="no", age_band="unknown", sex="unknown", hours_unknown="yes", language="bem", came_with="nobody"
    )
    case = page.path.removesuffix("/consent")
    page = await to_place(visitor, page)
    assert page.form(page.path).fields["carries"] == ["nothing"]
    again = await visitor.send((await visitor.open("/paper")).form("/paper/enter"), number=number, **WRITTEN)
    assert ("entered already" in again.words, case in again.links) == (True, True)
    again = await visitor.send(
        form, age_band="18-24", sex="female", hurt_now="no", hours_unknown="yes", came_with="nobody", language="bem"
    )
    assert ("entered already" in again.words, case in again.links) == (True, True)


@pytest.mark.parametrize("kind", ["police", "health"])
def test_the_request_sheet_asks_what_the_screen_asks(world: World, kind: str) -> None:
    edge = world[kind].app.state.edge
    for language in ("en", "fr", "fa_AF"):
        sheet = sheets_pdf(sheet_text(edge, language, SheetKind.REQUEST), [("R-00001-C", "Ndola")])
        assert sheet.count(b"/Type /Page\n") <= 2  # one sheet is one leaf
    rows = {row.label: row.options for row in sheet_text(edge, "en", SheetKind.REQUEST).rows}
    assert {"Who came along?", "How was it answered?", "Care", "Who goes along?"} <= rows.keys()
    # Of a child nobody is there any more to be asked when the sheet is entered.
    assert rows["For a child: is there a safe adult?"] == ("Yes, here", "Not here", "No")
    assert rows["The child’s own word"] == ("Agrees", "Says no", "Too young, or cannot say")
    assert "Not this one: suspected, or not wanted" in rows["The adult who looks after the child"]
    assert "Nobody was found yet" in rows["If not this one: who stands in"]
    assert ("Six months" in rows["It holds"], rows["Interpreter"]) == (True, ("None needed", "An interpreter helped"))


def test_what_does_not_fit_on_the_front_of_a_sheet_stands_on_its_back_under_the_same_number() -> None:
    rows = [Row(f"Question {n}", ("Yes", "No")) for n in range(40)]
    document = Document("A4", margin_mm=MARGIN_MM)
    front, back = sides_of(document, SheetText("Sheet", "Number", (), tuple(rows)), "R-00001-C", "Ndola")
    assert [*front, *back] == rows
    assert document.h / 2 < len(front) * 10 < document.h  # a row takes some ten millimetres


@pytest.mark.parametrize("number", ["R-1", "R-99999-A"])
async def test_a_wrong_number_of_a_sheet_is_asked_again_and_the_form_stays(world: World, number: str) -> None:
    visitor = Visitor(world["police"].app)
    await sign_in(visitor, await settled_account(world["police"], "officer-1", Role.OFFICER), "officer-1")
    page = await a_case_from(visitor, f"/cases/new?sheet={number}")
    form = page.form("/cases/new")
    assert (page.status, form.fields["sheet"], form.fields["age_band"]) == (422, [number], ["18-24"])
    page = await visitor.send(form, sheet="")  # nothing is entered from paper after all
    assert page.path.endswith("/consent"), page.words


async def test_the_sheet_of_a_visit_is_no_request(world: World) -> None:
    visitor = Visitor(world["police"].app)
    await sign_in(visitor, await settled_account(world["police"], "officer-1", Role.OFFICER), "officer-1")
    _page, (number, _last) = await printed(visitor, "ndola_central_vsu", "visit", 1)
    page = await a_case_from(visitor, f"/cases/new?sheet={number}")
    assert (page.status, "says that somebody came" in page.words) == (422, True)
    async with world["police"].database.read() as tx:
        sheet = await tx.session.get(Sheet, number)
    assert sheet is not None
    assert sheet.entered_at is None


async def test_a_sheet_of_last_year_is_asked_for_its_year_as_every_act_is(world: World) -> None:
    visitor = await nurse(world)
    _page, (number, _last) = await printed(visitor, "ndola_clinic", "visit", 1)
    world.clock.advance(ENTERED_WITHIN + timedelta(days=1))
    visitor = await at_work(world, "health", "nurse-2", Role.CLINICIAN)
    form = (await visitor.open("/paper")).form("/paper/enter")
    page = await visitor.send(form, number=number, on_date="2026-01-05", at_time="23:10")
    assert (page.status, "This lies more than a year back" in page.words, 'href="#on_date"' in page.text) == (422, True, True)


async def test_what_is_said_after_a_sheet_was_entered_is_dated_when_it_is_said(world: World) -> None:
    """Else a yes that she speaks at noon carries the hour of yesterday's sheet, on which she had said no."""
    desk, now = await world["police"].sign_in("desk"), world.clock.now()
    case_id, _incident = await open_case(desk)
    written = now - timedelta(hours=6)
    async with world["police"].database.write() as tx:
        account = await find_account(tx, "desk")
        by, colleague = (Actor(id_, "desk", Role.OFFICER, None) for id_ in (account.id, new_id()))
        sheet = Sheet(
            number=sheet_number(SheetKind.REQUEST, 1), facility="ndola_central_vsu", kind=SheetKind.REQUEST, batch=new_id(),
            printed_at=written, printed_by=account.id, written_at=written, entered_at=now, entered_by=account.id,
            case_id=UUID(case_id),
        )  # fmt: skip
        tx.session.add(sheet)

    async def being_entered(who: Actor) -> tuple[datetime | None, bool]:
        async with world["police"].database.read() as tx:
            sent = await sheet_of_request(tx, UUID(case_id), who)
            return await written_at(tx, UUID(case_id), who), sent is not None

    assert await being_entered(by) == (written, True)
    assert await being_entered(colleague) == (None, False)  # who has another conversation with her
    await consent(desk, case_id, "health", given_at=written.isoformat())
    assert await being_entered(by) == (None, True)  # the answers are entered, what was sent is not
    await consent(desk, case_id, "health", "needs")
    assert await being_entered(by) == (None, False)  # what is sent now rests on what she says now
