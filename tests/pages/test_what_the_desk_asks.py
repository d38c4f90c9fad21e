"""What a desk may write down beside the drawn path, and that it crosses only as the table and she allow."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from agencies import TestAgency, World
from desk_pages import PAGE_1, PAGE_2, at_the_desk, fill_page, to_consent, to_place, to_sent
from sqlalchemy import select

from shared.casework.cases.tables import Case
from shared.casework.referrals.tables import Referral
from shared.contracts.casework.codes import Role


async def said_to(world: World, agency: str) -> dict[str, Any]:
    """What an agency was told in its only referral."""
    async with world[agency].database.read() as tx:
        query = select(Referral).where(Referral.direction == "in")  # type: ignore[arg-type]
        said = (await tx.session.execute(query)).scalars().one().said
    assert said is not None
    return said


async def the_case(world: World) -> Case:
    async with world["police"].database.read() as tx:
        return (await tx.session.execute(select(Case))).scalars().one()


async def test_messages_may_be_passed_on_for_a_case_that_was_made_on_pages(world: World) -> None:
    officer = await at_the_desk(world)
    nurse = await at_the_desk(world, "health", Role.CLINICIAN)
    page = await to_consent(officer)
    page = await to_place(officer, page, items_health=["needs", "relay"], safe_hours="morning")
    referral = await to_sent(officer, page)
    await world.settle()
    assert (await said_to(world, "health"))["relay"] == {"safe_hours": "morning"}
    assert "relay" not in await said_to(world, "social_welfare")  # agreed for the clinic alone
    page = await nurse.open(f"/referrals/{referral}")
    assert "in the morning" in page.words
    assert f"/referrals/{referral}/messages/new" in page.links
    page = await fill_page(nurse, await nurse.open(f"/referrals/{referral}/messages/new"), code="bring_card")
    assert page.status == 200, page.words
    await world.settle()
    work = await officer.open("/work")
    assert "Bring the card" in work.words
    assert "Safe in the morning." in work.words
    assert f"/cases/{(await the_case(world)).id}" in work.links


async def test_messages_need_both_for_whom_and_when(world: World) -> None:
    officer = await at_the_desk(world)
    page = await to_consent(officer)
    for half in ({"safe_hours": "evening"}, {"items_health": ["needs", "relay"]}):
        wrong = await fill_page(officer, page, **{**PAGE_2, **half})
        assert (wrong.status, "Messages need both" in wrong.words) == (422, True)
        assert wrong.text.count('<details class="govuk-details" open') == 1  # where the fault is can be seen
    assert (await the_case(world)).relay is None


async def test_a_no_to_messages_leaves_no_trace(world: World) -> None:
    officer = await at_the_desk(world)
    await to_sent(officer, await to_place(officer, await to_consent(officer)))
    await world.settle()
    assert "relay" not in await said_to(world, "health")
    assert (await the_case(world)).relay is None


async def test_what_was_given_at_the_desk_is_read_aloud_and_known_to_the_nurse_with_its_time(world: World) -> None:
    officer = await at_the_desk(world)
    nurse = await at_the_desk(world, "health", Role.CLINICIAN)
    page = await to_consent(officer, given_ec="09:15", given_pep="23:40")
    assert "Which medicine you already got" in page.words
    referral = await to_sent(officer, await to_place(officer, page))
    await world.settle()
    # The wall clock of the programme is two hours before UTC; 23:40 has not come yet today, so it was yesterday.
    assert (await said_to(world, "health"))["given"] == [
        {"product": "emergency_contraception", "given_at": "2026-01-05T07:15:00Z"},
        {"product": "pep_starter", "given_at": "2026-01-04T21:40:00Z"},
    ]
    assert "given" not in await said_to(world, "social_welfare")
    page = await nurse.open(f"/referrals/{referral}")
    assert "Emergency contraception, 09:15" in page.words


async def test_where_nothing_was_given_nothing_is_asked_about_it(world: World) -> None:
    officer = await at_the_desk(world)
    page = await to_consent(officer)
    assert "Which medicine" not in page.words
    assert "given" not in page.form(page.path).choices["items_health"]
    assert "given" not in page.form(page.path).fields["items_health"]
    await to_sent(officer, await to_place(officer, page))
    await world.settle()
    assert "given" not in await said_to(world, "health")


async def test_given_again_belongs_to_the_new_incident(world: World) -> None:
    officer = await at_the_desk(world)
    await to_place(officer, await to_consent(officer))
    case = await the_case(world)
    page = await officer.open(f"/cases/{case.id}/again")
    answers = {name: PAGE_1[name] for name in ("hurt_now", "at_least", "at_most")}
    page = await fill_page(officer, page, **answers, given_ec="08:00")
    assert page.path.endswith("/refer"), page.words
    desk = await world["police"].sign_in("desk")
    given = [i["given"] for i in (await desk.get(f"/cases/{case.id}/incidents"))["items"]]
    assert given == [[{"product": "emergency_contraception", "given_at": "2026-01-05T06:00:00Z"}], []]


@pytest.mark.parametrize(
    ("has_box", "asked"),
    [(True, "Given somewhere else before care, and when"), (False, "Given here before care, and when")],
)
async def test_where_a_box_is_kept_the_form_asks_what_somebody_else_gave(world: World, has_box: bool, asked: str) -> None:
    police = world["police"]
    rules = {name: rule for name, rule in police.here.programme.rules.items() if has_box or not name.startswith("ec_")}
    here = replace(police.here, programme=police.here.programme.model_copy(update={"rules": rules}))
    world.agencies["police"] = TestAgency(here, police.parts, police.database)
    assert asked in (await (await at_the_desk(world)).open("/cases/new")).words


async def test_only_a_kind_that_may_tell_of_it_is_asked_what_it_gave(world: World) -> None:
    nurse = await at_the_desk(world, "health", Role.CLINICIAN)
    assert "given_ec" not in (await nurse.open("/cases/new")).form("/cases/new").fields


async def test_who_comes_along_reaches_the_social_worker_as_bands(world: World) -> None:
    officer = await at_the_desk(world)
    worker = await at_the_desk(world, "social_welfare", Role.SOCIAL_WORKER)
    page = await to_consent(officer, with_0_9=2, with_10_14=1)
    await to_sent(officer, await to_place(officer, page))
    await world.settle()
    assert (await said_to(world, "social_welfare"))["dependants"] == {"age_bands": ["0-9", "0-9", "10-14"]}
    assert "dependants" not in await said_to(world, "health")
    async with world["social_welfare"].database.read() as tx:
        referral = (await tx.session.execute(select(Referral))).scalars().one()
    page = await worker.open(f"/referrals/{referral.id}")
    assert "3 others (0 to 9; 0 to 9; 10 to 14)" in page.words


async def test_too_many_or_no_number_is_said_and_nothing_is_lost(world: World) -> None:
    officer = await at_the_desk(world)
    first = await officer.open("/cases/new")
    for wrong in ({"with_0_9": 19, "with_50": 2}, {"with_0_9": "two"}, {"with_0_9": 21}):
        page = await fill_page(officer, first, **PAGE_1, **wrong)
        assert (page.status, "20" in page.words, '<details class="govuk-details" open' in page.text) == (422, True, True), wrong
        assert page.form("/cases/new").fields["with_0_9"] == [str(wrong["with_0_9"])]


async def test_the_programmes_report_form_goes_along_with_an_examination(world: World) -> None:
    officer = await at_the_desk(world)
    referral = await to_sent(officer, await to_place(officer, await to_consent(officer)))
    await world.settle()
    assert (await said_to(world, "health"))["report_form"] == {"form": "zp_form_32", "form_version": 1}
    assert "police medical report form (ZP 32)" in (await officer.open(f"/referrals/{referral}")).words
    assert "report_form" not in await said_to(world, "social_welfare")


async def test_care_without_an_examination_asks_for_no_form(world: World) -> None:
    officer = await at_the_desk(world)
    page = await to_place(officer, await to_consent(officer))
    await to_sent(officer, page, care="injury_care")
    await world.settle()
    assert "report_form" not in await said_to(world, "health")


# --- the number in the occurrence book ---------------------------------------------------------------------------------


async def test_the_number_in_the_occurrence_book_is_kept_on_the_case_and_goes_nowhere(world: World) -> None:
    officer = await at_the_desk(world)
    page = await to_place(officer, await to_consent(officer))
    case = (await the_case(world)).id
    shown = await officer.open(f"/cases/{case}")
    assert "not entered yet" in shown.words
    assert f"/cases/{case}/docket" in shown.links
    saved = await fill_page(officer, await officer.open(f"/cases/{case}/docket"), number=" ob/123 /26")
    assert (saved.status, saved.path) == (200, f"/cases/{case}")
    assert "OB/123/26" in saved.words
    again = await officer.open(f"/cases/{case}/docket")
    assert again.form(again.path).fields["number"] == ["OB/123/26"]
    await to_sent(officer, page)
    await world.settle()
    for agency in ("health", "social_welfare"):
        assert "OB/123/26" not in str(await said_to(world, agency))
    looked = await officer.open(f"/cases/{case}/looked")
    assert looked.status == 200


async def test_a_number_that_is_none_or_anothers_is_said_and_stays_typed(world: World) -> None:
    officer = await at_the_desk(world)
    await to_consent(officer)
    first = (await the_case(world)).id
    await to_consent(officer)
    async with world["police"].database.read() as tx:
        second = (await tx.session.execute(select(Case).where(Case.id != first))).scalars().one().id  # type: ignore[arg-type]
    await fill_page(officer, await officer.open(f"/cases/{first}/docket"), number="OB/1/26")
    empty = await officer.open(f"/cases/{second}/docket")
    for wrong, why in (("", "Type the number"), ("OB 1?", "Type the number"), ("ob/1/26", "Another case has this")):
        page = await fill_page(officer, empty, number=wrong)
        assert (page.status, why in page.words) == (422, True), wrong
        assert page.form(page.path).fields["number"] == [wrong]
    foreign = await officer.open(f"/cases/{UUID(int=1)}/docket")
    assert foreign.status == 404


async def test_only_the_police_have_the_number(world: World) -> None:
    nurse = await at_the_desk(world, "health", Role.CLINICIAN)
    page = await to_consent_at_the_clinic(world)
    shown = await nurse.open(page)
    assert "occurrence book" not in shown.words
    assert (await nurse.open(f"{page}/docket")).status == 404


async def to_consent_at_the_clinic(world: World) -> str:
    desk = await world["health"].sign_in("desk", facility="ndola_clinic")
    return f"/cases/{(await desk.post('/cases'))['id']}"


# --- she cannot answer -------------------------------------------------------------------------------------------------


async def test_unconscious_she_is_sent_under_vital_interest_and_nothing_but_care_is_told(world: World) -> None:
    officer = await at_the_desk(world)
    nurse = await at_the_desk(world, "health", Role.CLINICIAN)
    page = await to_consent(officer, given_ec="09:15", with_0_9=1, incident_type="rape", safe_to_return="no")
    case = page.path.split("/")[2]
    assert f"/cases/{case}/cannot-answer" in page.links
    page = await officer.open(f"/cases/{case}/cannot-answer")
    page = await fill_page(officer, page)
    assert page.path == f"/cases/{case}/refer", page.words
    referral = await to_sent(officer, page)
    await world.settle()
    said = await said_to(world, "health")
    assert (said["basis"], said["feedback_agreed"]) == ("vital_interest", False)
    assert "needs" in said
    assert "given" in said
    assert not {"incident_class", "relay", "safety", "dependants"} & said.keys()
    async with world["social_welfare"].database.read() as tx:
        assert not (await tx.session.execute(select(Case))).scalars().all()
    for path in (f"/cases/{case}", f"/referrals/{referral}"):
        shown = await officer.open(path)
        assert "Could not answer: ask now" in shown.words
        assert "To save a life" in shown.words
    lines = (await officer.open(f"/cases/{case}")).words
    assert "Could not be asked; told to save a life: Ministry of Health" in lines
    assert "Asked, and the answer kept" not in lines
    received = await nurse.open(f"/referrals/{referral}")
    assert "Could not answer when this was sent" in received.words
    assert "To save a life" in received.words
    desk = await world["police"].sign_in("desk")
    (kept,) = (await desk.get(f"/cases/{case}/consents"))["items"]
    assert (kept["basis"], kept["how"], kept["recipient"]) == ("vital_interest", "none_unconscious", "health")
    assert datetime.fromisoformat(kept["given_at"]) == datetime(2026, 1, 5, 8, tzinfo=UTC)


async def unconscious(world: World) -> tuple[Any, str, str]:
    officer = await at_the_desk(world)
    case = (await to_consent(officer)).path.split("/")[2]
    page = await fill_page(officer, await officer.open(f"/cases/{case}/cannot-answer"))
    referral = await to_sent(officer, page)
    await world.settle()
    return officer, case, referral


async def test_asked_afterwards_a_no_ends_it_at_both_ends(world: World) -> None:
    officer, case, referral = await unconscious(world)
    page = await fill_page(
        officer, await officer.open(f"/cases/{case}/consent"), **{**PAGE_2, "answer_health": "no", "answer_social_welfare": "no"}
    )
    assert page.status == 200, page.words
    await world.settle()
    assert "Could not answer" not in (await officer.open(f"/cases/{case}")).words
    for agency in ("police", "health"):
        async with world[agency].database.read() as tx:
            kept = await tx.session.get(Referral, UUID(referral))
        assert kept is not None
        assert (kept.state, kept.is_open) == ("cancelled", False)
    async with world["health"].database.read() as tx:
        blanked = await tx.session.get(Referral, UUID(referral))
    assert blanked is not None
    assert blanked.said is None
    again = await officer.open(f"/cases/{case}/cannot-answer")  # her no stays a no
    assert not [form for form in again.forms if form.action.endswith("/cannot-answer")]


async def test_asked_afterwards_a_yes_takes_its_place_and_the_request_goes_on(world: World) -> None:
    officer, case, referral = await unconscious(world)
    await to_place(officer, await officer.open(f"/cases/{case}/consent"))
    assert "Could not answer" not in (await officer.open(f"/cases/{case}")).words
    desk = await world["police"].sign_in("desk")
    assert (await desk.get(f"/referrals/{referral}"))["is_open"]
    again = await officer.open(f"/cases/{case}/cannot-answer")
    assert "that answer counts" in again.words


async def test_an_answer_is_never_passed_over(world: World) -> None:
    """A form that was opened before she answered is sent afterwards: her answer counts."""
    officer = await at_the_desk(world)
    page = await to_consent(officer)
    case = page.path.split("/")[2]
    before = await officer.open(f"/cases/{case}/cannot-answer")
    await to_place(officer, page)
    late = await fill_page(officer, before)
    assert (late.status, "answered about every place of care" in late.words) == (409, True)
    desk = await world["police"].sign_in("desk")
    assert {c["basis"] for c in (await desk.get(f"/cases/{case}/consents"))["items"]} == {"consent"}
