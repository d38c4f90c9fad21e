"""The context of an incident, at the page where it is written down: asked where the programme tells contexts apart, of nobody by
force, and what rests on it is then proposed."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
from agencies import World
from coast import world_of
from shift import at_work
from visitor import Page, Visitor

from shared.contracts.casework.codes import AgencyKind, Role
from shared.programmes.profile import known_profiles, load_programme

HERAT, ECUADOR = "herat_fru", "station_ec_1"
KINDS = (AgencyKind.POLICE, AgencyKind.HEALTH, AgencyKind.SOCIAL_WELFARE, AgencyKind.PARTNER, AgencyKind.JUSTICE)
ASKED = {"domestic_violence", "family_dispute", "early_marriage", "trafficking", "harmful_practice"}
PROPOSED = "The programme proposes: Legal aid, A safe place to stay."
OUTSIDE = "outside the mandate of this desk"

Town = Callable[[str], AbstractAsyncContextManager[World]]


@pytest.fixture
def town(tmp_path: Path) -> Town:
    """Makes the agencies of a programme."""
    return lambda programme: world_of(load_programme(programme), KINDS, tmp_path)


async def came(visitor: Visitor, language: str, **more: Any) -> Page:
    """A woman who was hit yesterday, on page 1 of a new case: the page after it."""
    form = (await visitor.open("/cases/new")).form("/cases/new")
    assert set(form.choices["contexts"]) == ASKED
    assert "contexts" not in form.fields  # nothing is ticked beforehand
    return await visitor.send(
        form, hurt_now="no", age_band="25-49", sex="female", language=language, came_with="nobody", at_least=20, at_most=24,
        incident_type="physical_assault", **more,
    )  # fmt: skip


async def test_a_family_dispute_that_is_ticked_on_page_1_brings_the_programmes_proposal(town: Town) -> None:
    async with town("af-fru") as world:
        officer = await at_work(world, "police", "officer", Role.OFFICER, HERAT)
        for contexts, is_proposed in (["family_dispute"], True), ([], False):
            page = await came(officer, "fa-AF", contexts=contexts)
            assert page.path.endswith("/consent"), page.words
            agreed: dict[str, Any] = {f"answer_{to}": "yes" for to in ("health", "social_welfare", "shelter")}
            page = await officer.send(page.form(page.path), how="spoken", language="fa-AF", answer_back="yes", **agreed)
            assert page.path.endswith("/refer"), page.words
            assert (PROPOSED in page.words) is is_proposed
            assert ("legal_aid" in page.form(page.path).choices["also_social_welfare"]) is is_proposed


async def test_what_happened_again_has_a_context_of_its_own_which_a_mandate_may_look_at(town: Town) -> None:
    async with town("latam-wps") as world:
        officer = await at_work(world, "police_ec", "officer", Role.OFFICER, ECUADOR)
        page = await came(officer, "es", contexts=["domestic_violence"])
        case = page.path.removesuffix("/consent")
        desk = await world["police_ec"].sign_in("a-program", facility=ECUADOR)
        assert (await desk.get(f"{case}/mandates"))["items"] == []  # a domestic one is what it is there for
        form = (await officer.open(f"{case}/again")).form(f"{case}/again")
        page = await officer.send(
            form, hurt_now="no", hours_unknown="yes", incident_type="physical_assault", contexts="trafficking"
        )
        assert OUTSIDE in page.words
        again, first = (await desk.get(f"{case}/incidents"))["items"]
        assert [one["incident_id"] for one in (await desk.get(f"{case}/mandates"))["items"]] == [again["id"]]
        assert (first["contexts"], again["contexts"]) == (["domestic_violence"], ["trafficking"])


def test_a_programme_that_tells_no_contexts_apart_asks_for_none() -> None:
    asking = {id_ for id_ in known_profiles() if load_programme(id_).uses_contexts}
    assert asking == {"af-fru", "latam-wps"}
