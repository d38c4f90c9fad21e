"""A form that is wrong says what is, and keeps what was typed: nobody asks a survivor the same thing twice."""

from typing import Any

from agencies import World, consent, open_case
from signing_in import settled_account, sign_in
from visitor import Page, Visitor

from shared.casework.accounts.commands import find_account
from shared.contracts.casework.codes import Role

FIRST_PAGE: dict[str, Any] = {"hurt_now": "no", "age_band": "18-24", "sex": "female", "at_least": 1, "at_most": 3,
                              "language": "bem", "came_with": "nobody"}  # fmt: skip


async def somebody(world: World, agency: str, name: str, role: Role, facility: str | None = None) -> Visitor:
    visitor = Visitor(world[agency].app)
    issued = await settled_account(world[agency], name, role)
    if facility is not None:
        async with world[agency].database.write() as tx:
            (await find_account(tx, name)).facility = facility
    await sign_in(visitor, issued, name)
    return visitor


async def test_what_a_place_says_about_itself_is_said_or_refused_never_dropped(world: World) -> None:
    nurse = await somebody(world, "health", "nurse-1", Role.CLINICIAN)
    form = (await nurse.open("/directory")).form("/directory/ours")
    mistakes: list[dict[str, Any]] = [{"staff": "x"}, {"staff": "4"}, {"staff": "4", "waiting": "900"}]
    for wrong in mistakes:
        page = await nurse.send(form, is_open="true", **wrong)
        assert (page.status, "Look at this again" in page.words) == (422, True), wrong
        assert page.form("/directory/ours").fields["staff"] == [wrong["staff"]]
        assert page.form("/directory/ours").fields["is_open"] == ["true"]
    page = await nurse.send(form, is_open="true", staff=4, waiting=2, has_female_staff="true")
    assert (page.status, page.path) == (200, "/directory")
    assert "4 on duty" in page.words


async def printed(visitor: Visitor, kind: str) -> str:
    page = await visitor.open("/paper/print")
    page = await visitor.send(
        page.form("/paper/print"), facility=page.form("/paper/print").choices["facility"][0], kind=kind, count=1
    )
    return next(word for word in page.words.split() if word[1:2] == "-")


def first_page_again(page: Page, said: str) -> None:
    assert (page.status, said in page.words) == (422, True), page.words
    again = page.form("/cases/new").fields
    assert {name: again[name] for name in FIRST_PAGE} == {name: [str(value)] for name, value in FIRST_PAGE.items()}


async def test_a_sheet_that_cannot_be_entered_loses_no_answer_and_a_visit_is_no_request(world: World) -> None:
    officer = await somebody(world, "police", "officer-1", Role.OFFICER)
    visit, request = await printed(officer, "visit"), await printed(officer, "request")
    for number, said in (("R-1", "not the number of a sheet"), (visit, "somebody came"), ("R-00077-A", "sheet")):
        form = (await officer.open(f"/cases/new?sheet={number}")).form("/cases/new")
        page = await officer.send(form, **FIRST_PAGE)
        first_page_again(page, said)
        assert page.form("/cases/new").fields["sheet"] == [number]
    page = await officer.send(page.form("/cases/new"), sheet=request)
    assert page.path.endswith("/consent")
    form = (await officer.open(f"/cases/new?sheet={request}")).form("/cases/new")
    page = await officer.send(form, **FIRST_PAGE)
    first_page_again(page, "entered already")
    assert (await officer.send(page.form("/cases/new"), sheet="")).path.endswith("/consent")  # it was no sheet


async def test_a_time_that_has_not_come_is_said_in_the_form_that_names_it(world: World) -> None:
    officer = await somebody(world, "police", "officer-1", Role.OFFICER, "masaiti_vsu")
    desk = await world["police"].sign_in("desk", facility="masaiti_vsu")
    case_id, incident_id = await open_case(desk)
    await consent(desk, case_id, "health")
    body = {"case_id": case_id, "incident_id": incident_id, "to_agency": "health", "to_facility": "masaiti_clinic",
            "services": ["injury_care"], "urgency": "acute"}  # fmt: skip
    rid = (await desk.post("/referrals", body))["id"]
    path = f"/referrals/{rid}/told-by-phone"
    form = (await officer.open(path)).form(path)
    post = form.choices["post"][0]
    page = await officer.send(form, post=post, on_date="2026-03-01", at_time="10:00")
    assert (page.status, "This lies in the future" in page.words) == (422, True)
    assert page.form(path).fields["post"] == [post]
    assert page.form(path).fields["on_date"] == ["2026-03-01"]

    await world.settle()
    nurse = await somebody(world, "health", "nurse-1", Role.CLINICIAN)  # the hub enters what the clinic says by phone
    entered = f"/referrals/{rid}/entered"
    form = (await nurse.open(f"/referrals/{rid}")).form(entered)
    mistakes: list[tuple[dict[str, Any], str]] = [
        ({"on_date": "2026-03-01", "at_time": "10:00"}, "This lies in the future"),
        ({"at_time": "10:00"}, "both the day and the time"),
    ]
    for wrong, said in mistakes:
        page = await nurse.send(form, what="acknowledge", **wrong)
        assert (page.status, said in page.words) == (422, True)
        assert page.form(entered).fields["at_time"] == ["10:00"]
