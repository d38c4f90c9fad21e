"""The three pages of a new case as an officer fills them in, for tests over HTTP."""

from typing import Any

from agencies import World
from signing_in import settled_account, sign_in
from visitor import Page, Visitor

from shared.contracts.casework.codes import Role

PAGE_1: dict[str, Any] = {
    "hurt_now": "no", "age_band": "18-24", "sex": "female", "at_least": 1, "at_most": 3, "language": "bem", "came_with": "nobody",
}  # fmt: skip
PAGE_2: dict[str, Any] = {
    "answer_health": "yes", "answer_social_welfare": "yes", "answer_back": "yes", "how": "spoken", "language": "bem",
}  # fmt: skip
A_CHILD: dict[str, Any] = {"assent": "yes", "caregiver": "safe"}
NO_TO_ALL: dict[str, Any] = {"answer_health": "no", "answer_social_welfare": "no", "answer_back": "no"}
PAGE_3: dict[str, Any] = {
    "care": "acute_care", "place": "health/ndola_clinic", "mode": "car", "escort": "officer", "expected": "10:30",
    "carries": "code",
}  # fmt: skip


async def at_the_desk(world: World, agency: str = "police", role: Role = Role.OFFICER) -> Visitor:
    """Somebody signed in at an agency's first facility."""
    visitor = Visitor(world[agency].app)
    await sign_in(visitor, await settled_account(world[agency], "somebody", role), "somebody")
    return visitor


async def fill_page(visitor: Visitor, page: Page, **fields: Any) -> Page:
    """Sends the form that the page is about."""
    form = page.form(page.path.split("?")[0])
    if "assent" in form.choices:  # a child is asked too
        fields = {**A_CHILD, **fields}
    return await visitor.send(form, **fields)


async def to_consent(visitor: Visitor, **more: Any) -> Page:
    """A new case, up to the page that asks her."""
    page = await fill_page(visitor, await visitor.open("/cases/new"), **{**PAGE_1, **more})
    assert page.path.endswith("/consent"), page.words
    return page


async def to_place(visitor: Visitor, page: Page, **more: Any) -> Page:
    """Her answers, up to the page that chooses the place."""
    page = await fill_page(visitor, page, **{**PAGE_2, **more})
    assert page.path.endswith("/refer"), page.words
    return page


async def to_sent(visitor: Visitor, page: Page, **more: Any) -> str:
    """Sends; returns the referral's id."""
    page = await fill_page(visitor, page, **{**PAGE_3, **more})
    assert page.path.startswith("/referrals/"), page.words
    return page.path.split("/")[2]
