"""Accounts of others: who may make and change which, and a card that a second tap does not lose."""

from typing import Any

from agencies import World
from signing_in import PIN, settled_account, sign_in
from sqlalchemy import select
from visitor import Form, Page, Visitor

from shared.casework.accounts.commands import find_account
from shared.casework.accounts.pages import CARD_SHOWN
from shared.casework.accounts.tables import Account, Draft
from shared.contracts.casework.codes import Role


async def looking_after(world: World, name: str, role: Role, facility: str | None) -> Visitor:
    clinic, visitor = world["health"], Visitor(world["health"].app)
    issued = await settled_account(clinic, name, role)
    async with clinic.database.write() as tx:
        (await find_account(tx, name)).facility = facility
    await sign_in(visitor, issued, name)
    return visitor


def first_password(page: Page) -> str:
    return page.words.split("First password: ", 1)[1].split()[0]


async def test_the_same_tap_twice_makes_one_account_and_shows_one_card(world: World) -> None:
    visitor = await looking_after(world, "in-charge", Role.SUPERVISOR, "ndola_clinic")
    form = (await visitor.open("/accounts/new")).form("/accounts/new")
    answers: dict[str, Any] = {"name": "nurse-9", "role": "clinician", "facility": "ndola_clinic"}
    one, two = await visitor.send(form, **answers), await visitor.send(form, **answers)
    assert (one.status, two.status) == (200, 200)
    assert first_password(one) == first_password(two)
    again = await visitor.open(one.path)  # and loading it again, too
    assert first_password(again) == first_password(one)
    nurse = Visitor(world["health"].app)
    page = await nurse.open("/sign-in")
    assert (await nurse.send(page.form("/sign-in"), name="nurse-9", password=first_password(two))).path.startswith("/sign-in/code")

    accounts = await visitor.open("/accounts")
    reset = next(f for f in accounts.forms if f.action.endswith("/reset"))
    one, two = await visitor.send(reset), await visitor.send(reset)
    assert first_password(one) == first_password(two)


async def test_a_card_is_readable_in_no_table_and_gone_when_it_is_on_paper_or_late(world: World) -> None:
    clinic = world["health"]
    visitor = await looking_after(world, "in-charge", Role.SUPERVISOR, "ndola_clinic")
    form = (await visitor.open("/accounts/new")).form("/accounts/new")
    card = await visitor.send(form, name="nurse-9", role="clinician", facility="ndola_clinic")
    async with clinic.database.read() as tx:
        kept = (await tx.session.execute(select(Draft))).scalars().one()
    assert first_password(card).encode() not in kept.sealed
    colleague = await looking_after(world, "matron", Role.SUPERVISOR, "ndola_clinic")
    assert (await colleague.open(card.path)).status == 404  # another session does not see it
    done = await visitor.send(card.form(card.path))
    assert done.path == "/accounts"
    gone = await visitor.open(card.path)
    assert (gone.status, "shown no more" in gone.words) == (404, True)
    reset = next(f for f in (await visitor.open("/accounts")).forms if f.action.endswith("/reset"))
    card = await visitor.send(reset)
    world.clock.advance(CARD_SHOWN)
    page = await visitor.open(card.path)
    if page.path.startswith("/locked"):
        page = await visitor.send(page.form("/locked"), pin=PIN)
    assert page.status == 404


async def forms_for(visitor: Visitor, world: World, name: str) -> list[Form]:
    async with world["health"].database.read() as tx:
        account = await find_account(tx, name)
    csrf = (await visitor.open("/me")).form("/sign-out").fields
    return [Form(f"/accounts/{account.id}/{act}", "post", dict(csrf)) for act in ("reset", "disable")]


async def test_whoever_may_not_make_an_account_may_not_change_one_like_it_either(world: World) -> None:
    """A supervisor of the whole agency once made administrators, and could not change them afterwards."""
    whole = await looking_after(world, "district", Role.SUPERVISOR, None)
    local = await looking_after(world, "in-charge", Role.SUPERVISOR, "ndola_clinic")
    admin = await looking_after(world, "admin", Role.ADMINISTRATOR, None)
    for name, role in (("a-nurse", Role.CLINICIAN), ("a-matron", Role.SUPERVISOR), ("an-admin", Role.ADMINISTRATOR)):
        await settled_account(world["health"], name, role)
    may = {
        whole: {Role.CLINICIAN, Role.SUPERVISOR}, local: {Role.CLINICIAN},
        admin: {Role.CLINICIAN, Role.SUPERVISOR, Role.ADMINISTRATOR},
    }  # fmt: skip
    for visitor, roles in may.items():
        form = (await visitor.open("/accounts/new")).form("/accounts/new")
        assert set(form.choices["role"]) == roles
        listed = {f.action for f in (await visitor.open("/accounts")).forms}
        for name, role in (("a-nurse", Role.CLINICIAN), ("a-matron", Role.SUPERVISOR), ("an-admin", Role.ADMINISTRATOR)):
            reset, disable = await forms_for(visitor, world, name)
            assert (reset.action in listed) == (role in roles)
            answer = await visitor.send(reset)
            assert answer.status == (200 if role in roles else 403), (roles, name)
            assert (await visitor.open(disable.action)).status == (200 if role in roles else 403)
    own = await local.send((await forms_for(local, world, "in-charge"))[1])
    assert (own.status, "Nobody disables the own account" in own.words) == (409, True)
    own = await admin.send((await forms_for(admin, world, "admin"))[0])
    assert (own.status, "Nobody resets the own account" in own.words) == (409, True)


async def test_a_name_that_is_taken_is_said_in_the_form_and_a_place_out_of_reach_is_refused(world: World) -> None:
    visitor = await looking_after(world, "in-charge", Role.SUPERVISOR, "ndola_clinic")
    form = (await visitor.open("/accounts/new")).form("/accounts/new")
    empty = await visitor.send(form)
    assert (empty.status, "Type a sign-in name." in empty.words, "Choose a role." in empty.words) == (422, True, True)
    taken = await visitor.send(form, name="in-charge", role="clinician", facility="ndola_clinic")
    assert (taken.status, "already" in taken.words) == (422, True)
    form.choices.pop("facility")
    form.fields["facility"] = ["ndola_hospital"]
    assert (await visitor.send(form, name="nurse-9", role="clinician")).status == 403
    async with world["health"].database.read() as tx:
        names = set((await tx.session.execute(select(Account.name))).scalars())  # type: ignore[call-overload]
    assert "nurse-9" not in names
