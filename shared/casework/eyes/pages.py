"""Pages: finding a case by two exact things, opening one beyond the own desk, and what a supervisor keeps an eye on."""

from typing import Any, Literal
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field
from sqlalchemy import select
from sqlmodel import col

from shared.casework import scope
from shared.casework.accounts.commands import NAME_CHARACTERS_MAX, accounts_of, load_account
from shared.casework.accounts.credentials import PASSWORD_CHARACTERS_MAX, Answer, Client, check_password, is_pin
from shared.casework.accounts.sessions import Visit
from shared.casework.accounts.tables import Account
from shared.casework.arrivals.commands import count_try, may_try
from shared.casework.cases.tables import Case
from shared.casework.edge import Edge, OneEdge
from shared.casework.eyes import commands
from shared.casework.eyes.barred import bar
from shared.casework.eyes.commands import Why, open_beyond, review, to_review
from shared.casework.eyes.decoys import make_decoy
from shared.casework.eyes.look_up import Found, LookUp, Spent, look_up, looked_up
from shared.casework.here import Forbidden
from shared.casework.pages.visits import Elsewhere, Posted, Visitor, draft_of, is_own_pin, note_pins, submit
from shared.contracts.casework.codes import AgeBand, Role, Sex
from shared.kit.bodies import Body
from shared.kit.db import Transaction
from shared.kit.digits import typed
from shared.kit.errors import Conflict, NotFound, RefnetError
from shared.kit.forms import Filled, Values, fill
from shared.kit.i18n import mark as _

router = APIRouter(include_in_schema=False)

TWO = _("Fill in exactly two of them.")
NOTHING = _("Nothing here has both of these. Care goes on all the same.")
TOO_OFTEN = _(
    "That was tried too often: nothing more is looked for until %(when)s. Where a life is in danger, open it below by the same two"
    " things, or call the place."
)
PIN_CHARACTERS_MAX = 12  # a PIN has six digits
NO_CASE = _("You see no case of this number, so nothing was changed: nobody is kept from it. Look at the number again.")
DONE = {
    "yes": _("It is kept from this account from now on: the case of the number that you typed, wherever it shows."),
    "made": _("It is made. It stands among the older cases of its place, and whoever opens it is told to a supervisor."),
    "no": _("From now on nothing keeps that case from this account; it sees it where its place does."),
}
WORDS = {
    "why": _("Say why it cannot wait."), "own_pin": _("Type your own PIN: it opens by your own hand."),
    "opened_on": _("Choose the day on which it was opened."),
}  # fmt: skip


class Emergency(LookUp):
    """The same two things, why the case is opened beyond the own desk, and the PIN of whoever does it: somebody may sit at a page
    that another left open."""

    why: Why
    own_pin: str | None = Field(default=None, max_length=PIN_CHARACTERS_MAX)
    own_password: str | None = Field(default=None, max_length=PASSWORD_CHARACTERS_MAX)  # whoever has forgotten the PIN
    second: str | None = Field(default=None, max_length=NAME_CHARACTERS_MAX)
    pin: str | None = Field(default=None, max_length=PIN_CHARACTERS_MAX)


# --- two exact things -------------------------------------------------------------------------------------------------------------


@router.get("/look-up")
async def show_look_up(request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """Two things that are known exactly; never a list."""
    visit.actor.may_work()
    return _page(request, edge, visit, await draft_of(request, visit))


def _page(
    request: Request, edge: Edge, visit: Visit, form: Filled[Any], found: Found | Spent | None = None, status: int = 200
) -> Response:
    here, lies_at, place = edge.here, None, None
    if isinstance(found, Found) and not found.is_seen:
        lies_at = here.entry.facilities.get(found.case.facility)
        place = lies_at or here.facility(here.first_place())  # where no place looks after it, somebody there knows a supervisor
    is_spent = isinstance(found, Spent)
    whys = [Why.LIFE_THREAT] if is_spent else Why
    return edge.pages.show(
        request, "eyes/look_up.html", visit, status=status, form=form, errors=bool(form.errors), place=place, lies_at=lies_at,
        is_spent=is_spent, own=edge.pages.look.own_number, whys=[(str(why), why) for why in whys], here_now="/cases",
    )  # fmt: skip


def _asked(values: Values, model: type[LookUp]) -> Filled[Any]:
    form: Filled[Any] = fill(model, values, WORDS)
    if "" in form.errors:
        form.error("number", TWO)
        del form.errors[""]
    return form


@router.post("/look-up")
async def post_look_up(request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """One's own case opens; of another desk's it is said where it lies, so that somebody is called. `open`: it is opened here all
    the same, for an hour."""
    visit.actor.may_work()
    form = _asked(values, LookUp)
    if form.model is None:
        return _page(request, edge, visit, form, status=422)
    async with edge.database.write() as tx:  # the try is kept
        found = await look_up(form.model, tx, edge.here, visit.actor, edge.pages.look.find_own)
    if found is None:
        return _page(request, edge, visit, form.error("number", NOTHING), status=422)
    if isinstance(found, Found) and found.is_seen:
        raise Elsewhere(f"/cases/{found.case.id}")
    if "open" not in values:
        return (
            _too_often(request, edge, visit, form, found) if isinstance(found, Spent) else _page(request, edge, visit, form, found)
        )
    return await _open_here(request, edge, visit, values, found)


def _too_often(request: Request, edge: Edge, visit: Visit, form: Filled[Any], spent: Spent) -> Response:
    when = edge.pages.times(edge.pages.language(request), edge.database.clock.now()).clock(spent.until)
    return _page(request, edge, visit, form.error("number", Conflict(TOO_OFTEN, when=when)), spent, status=422)


async def _open_here(request: Request, edge: Edge, visit: Visit, values: Values, found: Found | Spent) -> Response:
    """Opens it where whoever sits here shows that it is she, and a second person agrees where no life is in danger. Where tries are
    used up a life in danger is looked for all the same."""
    emergency = _asked(values, Emergency)
    if emergency.model is not None and not (emergency.model.own_pin or emergency.model.own_password):
        emergency.error("own_pin", WORDS["own_pin"])
    if emergency.model is None or emergency.errors:
        return _page(request, edge, visit, emergency, found, status=422)
    if isinstance(found, Spent) and emergency.model.why is not Why.LIFE_THREAT:
        return _too_often(request, edge, visit, emergency, found)
    is_she = await _is_she(request, edge, visit, emergency.model)
    second, refused = None, None
    if is_she and emergency.model.why is not Why.LIFE_THREAT:
        try:
            second = await _second(edge, visit, emergency.model)
        except Conflict as error:
            refused = error
    await note_pins(edge, visit, is_right=is_she and refused is None)
    if not is_she:
        words = _("That is not your password.") if emergency.model.own_password else _("That is not your PIN.")
        return _page(
            request, edge, visit, emergency.error("own_password" if emergency.model.own_password else "own_pin", words), found, 422
        )
    if refused is not None:
        return _page(request, edge, visit, emergency.error("second", refused), found, status=422)
    if isinstance(found, Spent):
        return await _open_in_danger(request, edge, visit, values, emergency, found)
    try:
        return await _opened(request, edge, visit, values, found.case, emergency.model.why, second)
    except Conflict as error:
        return _page(request, edge, visit, emergency.error("second", error), found, status=422)


async def _is_she(request: Request, edge: Edge, visit: Visit, asked: Emergency) -> bool:
    if not asked.own_password:
        return await is_own_pin(edge, visit, typed(asked.own_pin or ""))
    client = Client(visit.device, request.client.host if request.client else "")
    return await check_password(edge.database, visit.actor.name, asked.own_password, client) is Answer.RIGHT


async def _open_in_danger(
    request: Request, edge: Edge, visit: Visit, values: Values, emergency: Filled[Emergency], spent: Spent
) -> Response:
    """Looked for once more, counted apart: by the same two things, on nobody's word but hers, and supervisors know at once."""
    asked = emergency.model
    assert asked is not None
    async with edge.database.write() as tx:
        found = await look_up(asked, tx, edge.here, visit.actor, edge.pages.look.find_own, in_danger=True)
    if isinstance(found, Spent):
        return _too_often(request, edge, visit, emergency, found)
    if found is None:
        return _page(request, edge, visit, emergency.error("number", NOTHING), spent, status=422)
    if found.is_seen:
        raise Elsewhere(f"/cases/{found.case.id}")
    return await _opened(request, edge, visit, values, found.case, asked.why, None)


async def _opened(
    request: Request, edge: Edge, visit: Visit, values: Values, case: Case, why: Why, second: Account | None
) -> Response:
    async def work(tx: Transaction) -> str:
        await open_beyond(case, why, second, tx, edge.here, visit.actor)
        return f"/cases/{case.id}"

    return await submit(request, edge, visit, values, work)


async def _second(edge: Edge, visit: Visit, asked: Emergency) -> Account:
    """The colleague who agrees, as her PIN shows; whoever guesses it is signed out. Raises Conflict."""
    if asked.second == visit.actor.name:
        raise Conflict("You cannot be the second person yourself: somebody else agrees, with her or his own sign-in name and PIN.")
    async with edge.database.read() as tx:
        query = select(Account).where(col(Account.name) == (asked.second or ""), col(Account.is_disabled).is_(False))
        account = (await tx.session.execute(query)).scalar_one_or_none()
        if not await may_try(tx, visit.actor):
            raise Conflict("A second person’s PIN was wrong too often; nobody is asked for a while.")
    pin_hash = account.pin_hash if account is not None else None
    is_right = await is_pin(pin_hash, asked.pin or "", visit.device)
    if account is None or not is_right or account.role == Role.ADMINISTRATOR:
        async with edge.database.write() as tx:
            await count_try(tx, visit.actor)  # the session's count begins anew with each right PIN of her own; this one does not
        raise commands.alone()
    return account


# --- what a supervisor keeps an eye on -------------------------------------------------------------------------------------------


class Barred(Body):
    """Whom, and from which case, by its number."""

    account: UUID
    number: str = Field(min_length=1, max_length=20)
    is_barred: Literal["yes", "no"] = "yes"


class NewDecoy(Body):
    """Where, and about whom it seems to be."""

    facility: str
    age_band: AgeBand
    sex: Sex


@router.get("/eyes")
async def show_eyes(request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """Openings to look at, whom a case is kept from, and decoys. `done`: what the form before this page did."""
    return await _eyes(request, edge, visit, await draft_of(request, visit), done=DONE.get(request.query_params.get("done", "")))


async def _eyes(
    request: Request, edge: Edge, visit: Visit, form: Filled[Any], status: int = 200, done: str | None = None
) -> Response:
    _only_supervisors(visit)
    async with edge.database.read() as tx:
        today = edge.pages.times("en", tx.clock.now()).today()
        rows = await to_review(tx, edge.here, visit.actor, today)
        accounts = [a for a in await accounts_of(tx, visit.actor) if a.id != visit.actor.account_id and not a.is_disabled]
        decoys = len(await commands.decoys(tx))
        looked = await looked_up(tx, visit.actor)
    places = [(id_, one.name) for id_, one in edge.here.entry.facilities.items() if visit.actor.sees(id_)]
    return edge.pages.show(
        request, "eyes/eyes.html", visit, status=status, form=form, errors=bool(form.errors), rows=rows, places=places,
        done=done, accounts=[(str(a.id), a.name) for a in accounts], decoys=decoys, looked=looked, ages=list(AgeBand),
        sexes=list(Sex),
    )  # fmt: skip


def _only_supervisors(visit: Visit) -> None:
    visit.actor.may_work()
    if visit.actor.role is not Role.SUPERVISOR:
        raise Forbidden("Only a supervisor may do this.")


@router.post("/eyes/barred")
async def post_barred(request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """The same answer whether it was so before or not: no list can be read by trying. A number of no case that the supervisor may
    see is refused: mistyped, it would leave the case open to the very officer that it is to be kept from."""
    _only_supervisors(visit)
    form = fill(Barred, values, {"account": _("Choose the account."), "number": _("Type the number of the case.")})
    asked = form.model
    if asked is None:
        return await _eyes(request, edge, visit, form, status=422)

    async def work(tx: Transaction) -> str:
        account = await load_account(tx, asked.account, visit.actor)
        case = await commands.case_by_number(tx, asked.number, visit.actor)
        if case is None:
            raise NotFound(NO_CASE)
        await bar(tx, account, case.id, visit.actor, is_barred=asked.is_barred == "yes")
        return f"/eyes?done={asked.is_barred}"

    try:
        return await submit(request, edge, visit, values, work)
    except scope.OutOfSight:  # the account
        raise
    except NotFound as error:
        return await _eyes(request, edge, visit, form.error("number", error), status=422)
    except Conflict as error:
        return await _eyes(request, edge, visit, form.error("account", error), status=422)


@router.post("/eyes/decoys")
async def post_decoy(request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """Makes one; which it is stands nowhere."""
    _only_supervisors(visit)
    form = fill(NewDecoy, values, {"facility": _("Choose the place."), "age_band": _("Choose the age group; a guess is enough.")})
    asked = form.model
    if asked is None:
        return await _eyes(request, edge, visit, form, status=422)

    async def work(tx: Transaction) -> str:
        await make_decoy(tx, edge.here, visit.actor, asked.facility, asked.age_band, asked.sex)
        return "/eyes?done=made"

    try:
        return await submit(request, edge, visit, values, work)
    except RefnetError as error:
        return await _eyes(request, edge, visit, form.error("facility", error), status=422)


@router.post("/eyes/openings/{opening_id}/review")
async def post_review(opening_id: UUID, request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """A supervisor has looked at it: it was right, or it was not."""
    visit.actor.may_work()
    was_right = Filled[BaseModel](values).value("was_right") == "yes"

    async def work(tx: Transaction) -> str:
        await review(opening_id, was_right, tx, visit.actor)
        return "/work" if values.get("back") == ["/work"] else "/eyes"

    return await submit(request, edge, visit, values, work)
