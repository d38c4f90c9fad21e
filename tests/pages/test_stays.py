"""Pages of a centre, without JavaScript: a stay from the door to the way out, her things, her word, and who asks by telephone."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from agencies import World
from centre import CENTRE, came, centre_world, stays, taken_by_the_ministry
from centre import officer as desk_of
from shift import at_work
from visitor import Page, Visitor

from services.police.enquiries.domain import SHOWN_FOR
from shared.contracts.casework.codes import Role


@pytest.fixture
async def centre(tmp_path: Path) -> AsyncIterator[World]:
    async with centre_world(tmp_path) as made:
        yield made


async def fill(visitor: Visitor, path: str, **answers: Any) -> Page:
    return await visitor.send((await visitor.open(path)).form(path), **answers)


async def test_a_stay_from_the_door_to_the_way_out(centre: World) -> None:
    desk, visitor = await desk_of(centre), await at_work(centre, "police", "somebody", Role.OFFICER, CENTRE)
    case_id = await came(desk)
    case = f"/cases/{case_id}"
    page = await visitor.open(case)
    assert {f"{case}/stay", f"{case}/property", f"{case}/own-word", f"{case}/counselling"} <= set(page.links)
    assert {"/stays", "/enquiry"} <= set(page.links)
    page = await fill(visitor, f"{case}/stay/admit", post="desk_officer", with_0_9="2")
    assert page.path == f"{case}/stay"
    for said in ("3 people", "Nights in hospital do not count. That is an assumption: no source says it.", "Nobody is sent away"):
        assert said in page.words, said
    assert "Day 3 is an assumption of this software’s design." in page.words
    assert f"{case}/stay/extended" not in page.links  # an officer asks whoever may
    assert "ask the supervisor, who extends it here" in page.words
    centre.clock.advance(timedelta(days=3, hours=1))
    visitor = await at_work(centre, "police", "another-shift", Role.OFFICER, CENTRE)
    work = await visitor.open("/work")
    assert "A stay needs a plan" in work.words
    assert "3 of 12 places are taken" in (await visitor.open("/stays")).words
    page = await fill(visitor, f"{case}/stay/planned", way="agency")
    assert (page.status, "Choose the request that was accepted" in page.words) == (422, True)
    sent = await taken_by_the_ministry(centre, desk, case_id)
    page = await fill(visitor, f"{case}/stay/planned", way="agency", referral=sent["id"])
    assert "Afterwards: To an organisation that has accepted." in page.words
    assert "A stay needs a plan" not in (await visitor.open("/work")).words
    centre.clock.advance(timedelta(days=2))
    visitor = await at_work(centre, "police", "third-shift", Role.OFFICER, CENTRE)
    head = await at_work(centre, "police", "head", Role.SUPERVISOR, CENTRE)
    assert "The time has passed" in (await head.open(f"{case}/stay")).words
    until = (centre.clock.now() + timedelta(days=3)).date().isoformat()
    page = await fill(head, f"{case}/stay/extended", reason="no_place", until=until)
    assert "The time has passed" not in page.words
    page = await fill(visitor, f"{case}/stay/left", way="family")
    assert (page.status, "Say both" in page.words) == (422, True)
    page = await fill(visitor, f"{case}/stay/left", way="family", she_agrees="yes", risk_checked="no")
    assert (page.status, "Back to the family only with the person’s own yes" in page.words) == (422, True)
    page = await fill(visitor, f"{case}/stay/left", way="agency", referral=sent["id"])
    assert page.path == f"{case}/stay"
    assert "Nobody stays here now." in (await visitor.open("/stays")).words


async def test_a_full_centre_proposes_other_places_and_somebody_decides(centre: World) -> None:
    desk, visitor = await desk_of(centre), await at_work(centre, "police", "somebody", Role.OFFICER, CENTRE)
    await stays(desk, await came(desk), *["0-9"] * 11)
    case = f"/cases/{await came(desk)}"
    page = await fill(visitor, f"{case}/stay/admit", post="desk_officer")
    assert (page.status, "No place is free at" in page.words) == (422, True)
    page = await fill(visitor, f"{case}/stay/refused")
    assert "Dhaka, office of the ministry" in page.words
    assert "nothing is sent by itself" in page.words
    page = await fill(visitor, f"{case}/stay/admit", post="desk_officer", although_full="yes")
    assert page.path == f"{case}/stay"


async def test_her_things_are_listed_and_given_back_against_a_sign(centre: World) -> None:
    desk, visitor = await desk_of(centre), await at_work(centre, "police", "somebody", Role.OFFICER, CENTRE)
    case = f"/cases/{await came(desk)}"
    page = await fill(visitor, f"{case}/property", kind="money", note="Two notes.", post="desk_officer", name="S. Synthetic")
    asked, returned = [next(link for link in page.links if link.endswith(act)) for act in ("/asked_back", "/returned")]
    assert "After 24 hours the supervisor’s post is told. An assumption, no published figure." in page.words
    page = await fill(visitor, asked)
    assert "give it back now" in page.words
    page = await fill(visitor, returned, her_sign="thumb", post="desk_officer", name="S. Synthetic")
    assert "Given back" in page.words
    assert returned not in page.links


async def test_whoever_asks_by_telephone_hears_the_same_sentence_but_she(centre: World) -> None:
    desk, visitor = await desk_of(centre), await at_work(centre, "police", "somebody", Role.OFFICER, CENTRE)
    case_id = await came(desk)
    case = f"/cases/{case_id}"
    number = (await desk.get(case))["number"]
    await desk.post(f"{case}/complaints", {})
    page = await fill(visitor, f"{case}/own-word", word="mango tree", phone_is_safe="yes")
    assert (page.path, "mango" in page.text) == (f"{case}/own-word", False)
    heard = set()
    for asked in (
        {"claims_to_be": "husband", "number": number, "phone_is_safe": "yes"},
        {"claims_to_be": "husband", "number": "P-2026-000000", "phone_is_safe": "yes"},
        {"claims_to_be": "herself", "number": number, "word": "a guess", "phone_is_safe": "yes"},
        {"claims_to_be": "herself", "number": number, "word": "mango tree", "phone_is_safe": "no"},
    ):
        page = await fill(visitor, "/enquiry", **asked)
        assert page.path == "/enquiry?said=nothing"
        heard.add(page.words)
    assert len(heard) == 1
    assert "I cannot say anything on the telephone about anybody." in heard.pop()
    assert number not in page.words
    page = await fill(visitor, "/enquiry", claims_to_be="herself", number=number, word="Mango tree", phone_is_safe="yes")
    assert "It may be told" in page.words
    told = next(form for form in page.forms if form.action.endswith("/told"))
    answer = page.path
    page = await visitor.send(told)
    assert "Told before" in page.words
    assert "by telephone, by the word that was agreed" in (await visitor.open(f"{case}/complaint")).words
    other = await at_work(centre, "police", "another", Role.OFFICER, CENTRE)
    assert (await other.open(answer)).status == 404  # it was told to whoever holds the telephone
    centre.clock.advance(SHOWN_FOR / 2)
    assert (await visitor.open(answer)).status == 200
    centre.clock.advance(SHOWN_FOR / 2)
    assert (await visitor.open(answer)).status == 404  # the call is over
    assert "said to be the husband or partner" in (await visitor.open(f"{case}/own-word")).words


async def test_a_planned_centre_is_named_as_such_in_the_directory(centre: World) -> None:
    visitor = await at_work(centre, "thanas", "somebody", Role.OFFICER, "thana_1")
    assert (await visitor.open("/directory")).words.count("Planned: nothing is sent there yet") == 7
