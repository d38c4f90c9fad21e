"""What a page says is told, seen or counted is what is told, seen or counted."""

import re
from dataclasses import replace
from html import unescape

import pytest
from agencies import World
from desk_pages import PAGE_2, at_the_desk, fill_page, to_consent, to_place, to_sent
from sqlalchemy import select, update
from starlette.testclient import TestClient
from visitor import Page, Visitor

from services.demo.start import start_app
from shared.casework.accounts.commands import add_account
from shared.casework.accounts.tables import Account
from shared.casework.cases.tables import Case
from shared.casework.consents.pages import CHANGEABLE, questions
from shared.casework.pages.words import SPOKEN
from shared.casework.referrals import card_pages
from shared.casework.referrals.card import CardText
from shared.contracts.casework.codes import CareClock, ConsentItem, Role
from shared.contracts.casework.minimal_data import CROSSES
from shared.kit.local.trial import LABEL
from shared.programmes.care import Window


async def the_case(world: World, agency: str) -> Case:
    async with world[agency].database.read() as tx:
        return (await tx.session.execute(select(Case))).scalars().one()


def ticks(page: Page, recipient: str) -> dict[str, str]:
    """What each tick of a recipient's question says."""
    found = re.findall(rf'name="items_{recipient}" id="[^"]*" value="(\w+)".*?<label[^>]*>(.*?)</label>', page.text, re.S)
    return {item: unescape(words) for item, words in found if item != "relay"}


@pytest.mark.parametrize("ticked", [["needs"], ["needs", "given", "type"], []])
async def test_what_is_read_aloud_is_true_whatever_is_ticked(world: World, ticked: list[str]) -> None:
    officer = await at_the_desk(world)
    page = await to_consent(officer, given_ec="09:15")
    answers = {**PAGE_2, "items_health": ticked}
    del answers["how"]
    wrong = await fill_page(officer, page, **answers)
    assert wrong.status == 422
    for shown in (page, wrong):
        assert ticks(shown, "health") == {item: SPOKEN[item] for item in ("needs", "given", "type")}
        assert ticks(shown, "social_welfare") == {
            "needs": SPOKEN["needs_with"], "type": SPOKEN["type_gbv"], "safety": SPOKEN["safety"], "prog": SPOKEN["prog"],
        }  # fmt: skip
        question = shown.words.split("A clinic")[1].split("Social welfare office")[0]
        first = question.split("May we tell them this too?")[0]
        # What is said before the ticks holds for each of them, and denies none.
        assert not re.search(r"how old|language|medicine|violence|not hear", first), first
        goes = question.split("Goes there:")[1]
        assert "what is ticked" in goes
        assert not re.search(r"age group|kind of violence|already given", goes, re.I)
    assert wrong.form(wrong.path).fields.get("items_health", []) == ticked


async def test_what_is_ticked_beforehand_is_said_to_be_the_least_and_after_an_answer_stands_as_she_gave_it(world: World) -> None:
    officer = await at_the_desk(world)
    page = await to_consent(officer)
    form, least = page.form(page.path), "Ticked beforehand is the least by which they can help."
    assert (form.fields["items_health"], form.fields["items_social_welfare"]) == (["needs"], ["needs", "safety", "prog"])
    assert page.words.count(least) == 2
    assert not [name for name in form.fields if name.startswith("answer_")]  # what counts is marked by nobody beforehand
    answers = {**PAGE_2, "answer_social_welfare": "no", "items_health": ["type"]}
    page = await officer.open(f"{(await to_place(officer, page, **answers)).path.removesuffix('/refer')}/consent")
    form = page.form(page.path)
    assert form.fields["items_health"] == ["type"]  # the programme's least is not offered against her own word
    assert form.fields.get("items_social_welfare", []) == []
    assert "The last answer was no" in page.words
    assert least not in page.words


async def test_everything_that_may_cross_under_a_tick_has_its_words(world: World) -> None:
    """Of each agency: a tick for every item that lets something pass, and its words name the kind that passes."""
    for agency in ("police", "health"):
        here = world[agency].here
        officer = await at_the_desk(world, agency, Role.CLINICIAN if agency == "health" else Role.OFFICER)
        await to_consent(officer)
        for question in questions(here, await the_case(world, agency), was_given=True):
            passing = set(CROSSES.get((here.kind, question.kind), {}).values()) & set(CHANGEABLE)
            assert passing <= {*question.offered, ConsentItem.RELAY}
            assert {*question.spoken} == {*question.offered} - {ConsentItem.RELAY}
            assert all(key in SPOKEN for key in question.spoken.values())


async def test_the_social_worker_is_not_told_that_nothing_else_is_seen(world: World) -> None:
    officer = await at_the_desk(world)
    worker = await at_the_desk(world, "social_welfare", Role.SOCIAL_WORKER)
    await to_sent(officer, await to_place(officer, await to_consent(officer)))
    await world.settle()
    rid = next(link for link in (await worker.open("/work")).links if re.fullmatch(r"/referrals/[0-9a-f-]{36}", link))
    page = await worker.open(rid)
    assert "which other places are asked, and how far that is, never for which care" in page.words
    case = await worker.open(next(link for link in page.links if link.startswith("/cases/")))
    assert "Acute care after sexual violence" not in case.words
    assert "anything about health" not in case.words
    assert "Which other places are asked, and how far that is" in case.words


async def sent_and_seen(world: World) -> tuple[Visitor, Visitor, str]:
    """An officer, a nurse who has said that she takes it, and the referral."""
    officer, nurse = await at_the_desk(world), await at_the_desk(world, "health", Role.CLINICIAN)
    rid = await to_sent(officer, await to_place(officer, await to_consent(officer)))
    await world.settle()
    page = await nurse.open(f"/referrals/{rid}")
    await nurse.send(page.form(f"/referrals/{rid}/seen-come"))
    await world.settle()
    return officer, nurse, rid


async def test_after_a_take_back_both_ends_say_what_is_left(world: World) -> None:
    officer, nurse, rid = await sent_and_seen(world)
    assert "Car or taxi" in (await nurse.open(f"/referrals/{rid}")).words
    page = await officer.open(f"/referrals/{rid}")
    assert "They ask again first." in page.words
    way = next(link for link in page.links if link.endswith("/take-back"))
    before = await officer.open(way)
    assert "A safety copy of their keys may still open it for 7 days after that; then nothing does." in before.words
    assert "Take it back now" in before.text.partition('class="app-thumb"')[2]  # within reach, however long the page is
    done = await officer.send(before.form(way))
    assert done.words.index("It is taken back. They are told at once.") < done.words.index("One timeline")
    assert "Its consent was taken back since" in done.words
    await world.settle()
    its_case = way.partition("/consents/")[0]
    assert (
        "A safety copy of their keys may still open it, until 12 January 2026 at the latest."
        in (await officer.open(its_case)).words
    )
    for visitor, left in ((officer, "What they see now"), (nurse, "What this request told us is blanked")):
        page = await visitor.open(f"/referrals/{rid}")
        assert left in page.words
        assert "Consent was taken back, Monday 5 January" in page.words
        assert not re.search(r"Agreed\b(?! to)|They ask again first|18 to 24|Safe to return", page.words), page.words
    assert "Car or taxi" not in page.words  # of the nurse
    case = next(link for link in page.links if link.startswith("/cases/"))
    assert "Car or taxi" not in (await nurse.open(case)).words


async def test_a_window_that_no_source_gives_is_marked_where_its_time_runs(world: World) -> None:
    officer, _nurse, rid = await sent_and_seen(world)
    said = "Later is never refused. (assumption)"
    assert said not in (await officer.open(f"/referrals/{rid}")).words, "the 72 hours are a fact"
    police = world["police"]
    pep = Window.model_validate({"hours": 72, "source": "K"})
    programme = police.here.programme.model_copy(update={"windows": {**police.here.programme.windows, CareClock.PEP: pep}})
    police.edge.here = police.edge.pages.here = replace(police.here, programme=programme)
    assert said in (await officer.open(f"/referrals/{rid}")).words


async def test_what_the_clinic_has_told_it_sees_as_told(world: World) -> None:
    _officer, nurse, rid = await sent_and_seen(world)
    await nurse.send((await nurse.open(f"/referrals/{rid}")).form(f"/referrals/{rid}/arrive"))
    page = await nurse.open(f"/care/{rid}")
    hints = {care: unescape(hint) for care, hint in re.findall(r'id="care_(\w+)-hint"[^>]*>([^<]*)<', page.text)}
    assert "in which it works best" in hints["pep"]
    assert {care for care, hint in hints.items() if "(assumption)" in hint} == {"hepatitis_b_vaccine"}, "the 72 hours are a fact"
    assert "HIV protection (PEP), 28 days: 72 hours, version 1; intersexions.co.za" in page.words
    assert "Hepatitis B vaccine: 336 hours, version 1; assumption" in page.words
    page = await fill_page(nurse, page, care_pep="given", feedback="yes")
    assert "May Ndola Central, Victim Support Unit know? The answer: yes." in page.words
    await world.settle()
    page = await nurse.open(f"/referrals/{rid}")
    for line in re.findall(r'<div class="app-line">.*?app-line__badge">.*?</div>', page.text, re.S):
        if re.search(r"<p>(Came|Care has begun)\b", line):
            assert "Our own record" not in line
            assert "passed on, received" in line  # "there" would be the clinic itself, on a line of its own
    assert re.search(r"In care \d\d:\d\d", page.words), page.words
    assert not re.search(r"Served \d", page.words)
    assert "The answer: yes." in (await nurse.open(f"/care/{rid}")).words
    links = re.findall(rf'href="/care/{rid}"', page.text)
    assert len(links) == 1, "the same way twice"


async def test_a_step_without_its_date_asks_for_it_in_the_pages_language(world: World) -> None:
    officer = await at_the_desk(world)
    case = (await to_consent(officer)).path.removesuffix("/consent")
    for language, said in (("en", "Give the date of the hearing."), ("fr", "Donnez la date de l’audience.")):
        me = await officer.open("/me")
        if f'value="{language}"' in me.text:
            await officer.send(me.form("/me/language"), button=("language", language))
        page = await officer.send((await officer.open(case)).form(f"{case}/progress"), code="hearing_date")
        assert (page.status, said in page.words, "on_date'" in page.words) == (422, True, False)


async def test_no_step_is_chosen_beforehand(world: World) -> None:
    officer = await at_the_desk(world)
    case = (await to_consent(officer)).path.removesuffix("/consent")
    page = await officer.open(case)
    form = page.form(f"{case}/progress")
    assert form.fields["code"] == [""]
    refused = await officer.send(form)  # "Record" without having chosen records nothing
    assert (refused.status, "Choose what happened." in refused.words) == (422, True)
    assert "Complaint registered" not in (await officer.open(case)).words.partition("What to do")[0]


async def test_after_consent_to_care_was_taken_back_the_page_of_places_says_to_ask_again_first(world: World) -> None:
    officer = await at_the_desk(world)
    rid = await to_sent(officer, await to_place(officer, await to_consent(officer)))
    page = await officer.open(f"/referrals/{rid}")
    case = next(link for link in page.links if link.startswith("/cases/")).partition("/consents")[0]
    assert "Show the number again" in page.words  # she chose to remember one, and nothing is printed
    assert "Print the card again" not in page.words
    assert "Ask her again first" not in (await officer.open(f"{case}/refer")).words
    take_back = await officer.open(next(link for link in page.links if link.endswith("/take-back")))
    await officer.send(take_back.form(take_back.path))
    page = await officer.open(f"{case}/refer")
    assert "Ask her again first, then clinics show" in page.words
    assert f"{case}/consent" in page.links


async def test_the_card_is_printed_in_the_language_that_the_page_shows(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    printed: list[tuple[CardText, ...]] = []

    def keep(sides: tuple[CardText, ...], _code: str) -> bytes:
        printed.append(sides)
        return b""

    monkeypatch.setattr(card_pages, "card_pdf", keep)
    officer = await at_the_desk(world)
    rid = await to_sent(officer, await to_place(officer, await to_consent(officer)), carries="card")
    for language in ("fr", "fa_AF"):
        await officer.send((await officer.open("/me")).form("/me/language"), button=("language", language))
        shown = await officer.open(f"/referrals/{rid}/card")
        await officer.open(f"/referrals/{rid}/card.pdf")
        assert printed[-1][0].title in shown.words
        assert printed[-1][0].is_rtl == (language == "fa_AF")


async def test_where_nothing_is_printed_no_card_is_shown(world: World) -> None:
    officer = await at_the_desk(world)
    rid = await to_sent(officer, await to_place(officer, await to_consent(officer)))  # she remembers a number
    page = await officer.open(f"/referrals/{rid}/card")
    assert "Nothing is printed" in page.words
    assert re.search(r"\d\d \d\d \d\d", page.words)
    assert not re.search(r"Your visit|Front|Print|Put the name of the place", page.words)


async def test_each_open_question_is_named_and_a_wrong_password_is_no_missing_thing(world: World) -> None:
    officer = await at_the_desk(world)
    page = await to_consent(officer)
    wrong = await fill_page(officer, page, how="spoken")
    said = re.findall(r'<li><a href="#answer_[^>]*>(.*?)</a>', wrong.text)
    assert [one.split(":")[0] for one in said] == ["A clinic", "Social welfare office", "Back to us"]
    stranger = Visitor(world["police"].app)
    page = await stranger.open("/sign-in")
    wrong = await stranger.send(page.form("/sign-in"), name="somebody", password="not this one at all")
    assert "Not signed in" in wrong.words
    assert "Look at this again" not in wrong.words


async def test_an_account_without_a_password_is_not_said_to_have_an_empty_card(world: World) -> None:
    officer = await at_the_desk(world)
    assert "codes are left" in (await officer.open("/me")).words
    async with world["police"].database.write() as tx:
        await tx.session.execute(update(Account).values(password_hash=None))
    page = await officer.open("/me")
    assert "has no password and no code card" in page.words
    assert "left on your card" not in page.words


async def test_leaving_promises_no_more_than_it_does(world: World) -> None:
    page = await Visitor(world["police"].app).open("/info")
    assert "Back shows a calendar" not in page.words  # with scripts it is the page before
    assert "Back does not show it again" in page.words


async def test_an_account_that_no_password_opens_is_said_to_have_none(world: World) -> None:
    chief = await at_the_desk(world, role=Role.SUPERVISOR)
    async with world["police"].database.write() as tx:
        await add_account(tx, world["police"].here, "a-program", Role.OFFICER, next(iter(world["police"].here.entry.facilities)))
    assert "Has no password: programs only" in (await chief.open("/accounts")).words


@pytest.mark.parametrize("label", ["Apache Kafka 4 on this machine", LABEL])
def test_the_demos_first_page_says_its_courier_in_french(label: str) -> None:
    app = start_app({}, {}, label, forgets=False)
    with TestClient(app) as client:
        page = client.get("/?language=fr").text
    assert not re.search(r"on this machine|it forgets", page)
    assert ("Apache Kafka 4" in page) == label.startswith("Apache")


async def test_every_copy_with_made_up_people_says_so_on_its_pages(world: World) -> None:
    for agency in world.agencies.values():
        page = await Visitor(agency.app).open("/sign-in")
        assert "All people here are synthetic." in page.words
