"""What a page says is said in its language, refusals included, and what somebody typed is never taken for markup."""

import re
from dataclasses import replace
from typing import Any

import pytest
from agencies import World, consent, open_case, refer
from signing_in import settled_account, sign_in
from visitor import Visitor

from shared.casework.pages.frame import PAGE_LANGUAGES, REVIEWED
from shared.contracts.casework.codes import Role


async def test_errors_and_refusals_are_in_the_pages_language(world: World) -> None:
    police = world["police"]
    issued = await settled_account(police, "officer-1", Role.OFFICER)
    visitor = Visitor(police.app)
    await sign_in(visitor, issued, "officer-1")
    form = (await visitor.open("/me")).form("/me/language")
    await visitor.send(form, button=("language", "fr"))
    page = await visitor.open("/cases/new")
    assert 'lang="fr"' in page.text
    wrong = await visitor.send(page.form("/cases/new"), at_least=5)
    assert wrong.status == 422
    assert "Choisissez la tranche d’âge" in wrong.words
    gone = await visitor.open("/cases/01a20000-0000-7000-8000-000000000000")
    assert (gone.status, "Ce dossier n’existe pas." in gone.words) == (404, True)


@pytest.mark.parametrize("purpose", ["demo", "production"])
async def test_a_translation_that_nobody_has_reviewed_says_so_on_every_page(
    world: World, purpose: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages, told = world["police"].edge.pages, {}
    network = pages.here.network.model_copy(update={"purpose": purpose})
    monkeypatch.setattr(pages, "here", replace(pages.here, network=network))
    for language in PAGE_LANGUAGES:
        page = await Visitor(world["police"].app, language=language.replace("_", "-")).open("/sign-in")
        assert f'lang="{language.replace("_", "-")}"' in page.text
        told[language] = pages.say("Nobody has reviewed this translation yet.", language) in page.words
    assert told == {language: language not in REVIEWED for language in PAGE_LANGUAGES}
    assert told["en"] is False


async def french(world: World, agency: str, name: str, role: Role) -> Visitor:
    visitor = Visitor(world[agency].app)
    await sign_in(visitor, await settled_account(world[agency], name, role), name)
    await visitor.send((await visitor.open("/me")).form("/me/language"), button=("language", "fr"))
    return visitor


async def test_a_refusal_says_words_for_its_codes_in_the_pages_language(world: World) -> None:
    desk, officer = await world["police"].sign_in("desk"), await french(world, "police", "officer-1", Role.OFFICER)
    case_id, incident_id = await open_case(desk)
    await consent(desk, case_id, "health")
    rid = (await refer(desk, case_id, incident_id, "health"))["id"]
    form = (await officer.open(f"/cases/{case_id}/refer")).form(f"/cases/{case_id}/refer")
    for name in [name for name in form.fields if name.startswith("also")]:
        del form.fields[name]
    sent: dict[str, Any] = {"care": "acute_care", "place": "health/ndola_clinic", "mode": "on_foot", "escort": "alone",
                            "expected": "10:30", "carries": "nothing"}  # fmt: skip
    page = await officer.send(form, **sent)
    assert page.status == 422
    assert "déjà en cours auprès de" in page.words
    assert world["police"].here.network.agencies["health"].name in page.words
    assert "acute_care" not in page.words

    printing = (await officer.open("/paper/print")).form("/paper/print")
    page = await officer.send(printing, facility=printing.choices["facility"][0], kind="visit", count=500)
    assert "Un lot compte de 1 à 100 fiches." in page.words
    for address, status, title, said in (
        ("/referrals/abc", 422, "Quelque chose manque", "L’adresse ou le formulaire"),
        ("/nothing-here", 404, "Il n’y a rien ici", "Il n’y a rien à cette adresse."),
        ("/posts", 403, "Ce n’est pas pour ce compte", ""),
    ):
        page = await officer.open(address)
        assert (page.status, title in page.words, said in page.words) == (status, True, True), page.words
        assert "something" not in page.words.lower()

    await world.settle()
    nurse = await french(world, "health", "nurse-1", Role.CLINICIAN)
    inbox = await nurse.open("/work")
    form = inbox.form(f"/referrals/{rid}/acknowledge")
    await nurse.send(form)
    form.fields["once"], form.action = ["another tap"], f"/referrals/{rid}/start"  # she has not come
    page = await nurse.send(form)
    assert (page.status, "Impossible maintenant" in page.words) == (409, True)
    assert "l’orientation en est à « Vu" in page.words


async def test_why_a_message_waits_is_said_in_the_pages_language(world: World) -> None:
    """A peer sends what this version does not know: it is parked, and the supervisor reads why."""
    desk = await world["police"].sign_in("desk")
    case_id, incident_id = await open_case(desk)
    await consent(desk, case_id, "health")
    await refer(desk, case_id, incident_id, "health")
    clinic = world["health"]
    places = dict(clinic.here.entry.facilities)
    try:
        clinic.here.entry.facilities.pop("ndola_clinic")  # as a clinic whose network file is older than the sender's
        await world.settle()
    finally:
        clinic.here.entry.facilities.clear()
        clinic.here.entry.facilities.update(places)
    visitor = await french(world, "health", "in-charge", Role.SUPERVISOR)
    page = await visitor.open("/parked")
    assert "Cette agence n’a pas de lieu « ndola_clinic »." in page.words
    assert "This agency" not in page.words


async def test_what_was_typed_is_shown_as_it_was_typed(world: World) -> None:
    police = world["police"]
    visitor = Visitor(police.app)
    await sign_in(visitor, await settled_account(police, "inspector-1", Role.SUPERVISOR), "inspector-1")
    name = '<b onclick="x">hers</b>'
    for _ in range(2):
        form = (await visitor.open("/accounts/new")).form("/accounts/new")
        again = await visitor.send(form, name=name, role="officer", facility=form.choices["facility"][0])
    assert again.status == 422  # the refusal repeats the name
    for page in (again, await visitor.open("/accounts")):
        assert name not in page.text
        assert "&lt;b onclick" in page.text


async def test_a_french_page_has_a_space_that_does_not_break_before_each_of_its_marks(world: World) -> None:
    desk = await world["police"].sign_in("desk")
    case_id, incident_id = await open_case(desk)
    await consent(desk, case_id, "health")
    rid = (await refer(desk, case_id, incident_id, "health"))["id"]
    officer = await french(world, "police", "officer-1", Role.OFFICER)
    for address in (f"/cases/{case_id}", f"/referrals/{rid}", "/work", "/me", f"/cases/{case_id}/consent", "/hand-over"):
        page = await officer.open(address)
        typed = re.findall(r"[^\s\u00a0][:;?!](?=\s|$)|(?<!\u00a0) [:;?!](?=\s|$)", re.sub(r"<[^>]*>", "", page.text))
        assert (page.status, typed) == (200, []), address
