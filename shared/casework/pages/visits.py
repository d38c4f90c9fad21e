"""Who is at a page, and what a page may send: sessions from cookies, forms that carry their session's token, each sent once."""

import hashlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, TypeGuard
from urllib.parse import quote
from uuid import UUID

from fastapi import Depends, Request, Response
from fastapi.responses import RedirectResponse

from shared.casework.accounts import credentials, sessions
from shared.casework.accounts.sessions import ABSOLUTE_END, Kept, Visit, Writer, device_id, new_browser
from shared.casework.accounts.tables import Account, KeptAnswer
from shared.casework.edge import KEY_CHARACTERS_MAX, Edge, asks, edge_of, in_turn, keep_answer, lock_key, route_of
from shared.casework.here import Forbidden
from shared.casework.pages.frame import KEPT, kept_form
from shared.contracts.casework.codes import Role
from shared.kit.calendars import read_solar
from shared.kit.crash import crash_point
from shared.kit.db import Transaction
from shared.kit.forms import Filled, Sent, Values, read_values
from shared.kit.ids import new_id
from shared.kit.pages import is_same_site, same_token

AUTO = "auto"  # in the address where a page without JavaScript fetches itself again
LIVE = "/live"
PAGE = "page"  # the field of a form that names its own page
SOLAR = "solar"  # the field in which a form names those that hold days of the Solar Hijri calendar
PATH_CHARACTERS_MAX = 200  # of a page's address, a key column: the longest, with two ids and a sheet's number, has some 120
DEVICE_LIFE_S = 400 * 24 * 3600  # the longest that browsers keep a cookie
HOMES = {Role.SUPERVISOR: "/alarms", Role.ADMINISTRATOR: "/accounts"}
BROWSER_CHARACTERS = len(new_browser())
SECRETS = frozenset({"password", "again", "old", "pin", "own_pin", "own_password", "word", "once"})  # fields that no draft keeps


class Elsewhere(Exception):
    """This page cannot be shown now; another one is."""

    def __init__(self, location: str) -> None:
        super().__init__(location)
        self.location = location


class StaleForm(Forbidden):
    """The form came from another page or another session."""


def not_ours() -> StaleForm:
    """No page of this session, nor of one before it at this browser, sent the form."""
    return StaleForm("This form is from another session or another page; open the page again and send it from there.")


def home_of(role: Role) -> str:
    """Where an account's day begins."""
    return HOMES.get(role, "/work")


def inside(path: str | None, otherwise: str = "/") -> str:
    """A path of this application, for a redirect; never another host."""
    return path if path and path.startswith("/") and not path.startswith(("//", "/\\")) else otherwise


async def any_visit(request: Request) -> Visit | None:
    """The session of the browser, whatever it may do; None without one. What was kept of the page's form is put beside it."""
    edge = edge_of(request)
    token = request.cookies.get(edge.pages.cookie)
    async with edge.database.read() as tx:
        visit = await sessions.visit(tx, edge.here, token)
        if visit is not None and request.method == "GET" and not (visit.is_locked or visit.needs_code):
            request.state.kept = await sessions.read_draft(tx, writer_of(request, visit), request.url.path)
    kept: Kept | None = getattr(request.state, "kept", None)
    can_be_noted = KEPT in request.query_params and not edge.database.room.is_lacking
    if visit is not None and kept is not None and kept.shown_at is None and can_be_noted:
        async with edge.database.write() as tx:
            await sessions.note_shown(tx, writer_of(request, visit), request.url.path, kept)
    if visit is not None and visit.needs_seen and not visit.is_locked and _is_by_hand(request):
        async with edge.database.write() as tx:
            await sessions.touch(tx, visit.session_id)
    return visit


def _is_by_hand(request: Request) -> bool:
    # A page that fetches itself again proves that it is open, not that somebody sits before it.
    is_own_doing = request.method == "GET" and ("hx-request" in request.headers or AUTO in request.query_params)
    return not is_own_doing and request.url.path != LIVE


async def visiting(request: Request) -> Visit:
    """Who is at the page; sends to sign-in, code, PIN or own password where that comes first, and keeps what was sent too late."""
    visit = await any_visit(request)
    first = _comes_first(visit, quote(request.url.path if request.method == "GET" else "/", safe="/"))
    if visit is not None and first is None:
        asks(request, visit.actor)
        return visit
    spared = visit.session_id if is_choosing_secrets(visit) else None
    if request.method == "POST" and await keep_form(request, spared) is None and visit is not None:
        raise not_ours()
    raise Elsewhere(first or "/sign-in")


def is_choosing_secrets(visit: Visit | None) -> TypeGuard[Visit]:
    """Whether somebody stands before her own first password and PIN: no PIN could open her session again."""
    return visit is not None and visit.must_renew and not (visit.is_locked or visit.needs_code)


def _comes_first(visit: Visit | None, here: str) -> str | None:
    if visit is None:
        return f"/sign-in?next={here}"
    if visit.needs_code:
        return "/sign-in/code"
    if visit.is_locked:
        return f"/locked?next={here}"
    return "/me/secrets" if visit.must_renew else None


Visitor = Annotated[Visit, Depends(visiting)]
MaybeVisitor = Annotated[Visit | None, Depends(any_visit)]


def in_gregorian(edge: Edge, values: Values) -> Values:
    """The same fields; days that were typed in the programme's own calendar, which the form names, as days that models read."""
    named = set(values.pop(SOLAR, ()))
    if not edge.pages.is_solar:
        return values
    read = {name: [read_solar(one) for one in found] if name in named else found for name, found in values.items()}
    return Sent(read, values.blank) if isinstance(values, Sent) else read


async def form_of(request: Request, visit: Visit) -> Values:
    """The fields of a posted form; raises StaleForm where it is not this session's own."""
    values = in_gregorian(edge_of(request), await read_values(request))
    token = values.pop("csrf", [""])[-1]
    if not (is_same_site(request) and same_token(token, visit.csrf)):
        raise not_ours()
    request.state.sent = dict(values)  # for a refusal: whatever refuses, what was written is not lost
    return values


async def posted(request: Request, visit: Visitor) -> Values:
    """The fields of a form that the visitor posted. A page that was opened before she signed in anew is shown again with what was
    written; one that another person left open is kept for that person."""
    try:
        return await form_of(request, visit)
    except StaleForm:
        kept = await keep_form(request)
        if kept is None:
            raise
    if kept.account_id != visit.actor.account_id:
        raise StaleForm(
            "Another person had opened this page; what was written on it is kept for that person. Open your own page again."
        )
    raise Elsewhere(as_it_stood(kept.page) if kept.page else "/")


Posted = Annotated[Values, Depends(posted)]


@dataclass(frozen=True, slots=True)
class KeptForm:
    """Whose form was kept, and the page that it stood on; no page where it was a button only."""

    account_id: UUID
    page: str | None


async def keep_form(request: Request, spared: UUID | None = None) -> KeptForm | None:
    """Keeps what stands in a posted form for whoever's page it was, and locks that session, unless it is the one that is `spared`;
    None where no page of this browser sent it. Its writer finds it after her PIN, or after signing in where her session is over;
    nobody else can.

    A conversation may take longer than the lock and than the session: what was answered is lost by neither.
    """
    edge = edge_of(request)
    values = in_gregorian(edge, await read_values(request))
    csrf, page = values.pop("csrf", [""])[-1], page_of(values)
    if not is_same_site(request):
        return None
    kept = _written(values)
    async with edge.database.write() as tx:
        writer = await sessions.writer_of_form(tx, browser_of(request, edge), csrf)
        if writer is None:
            return None
        if await _was_sent(tx, request, writer, values):
            return KeptForm(writer.account_id, None)  # a second tap on what locked the page: nothing of it is unsent
        if page is None or not kept or not await sessions.keep_draft(tx, writer, page, kept):
            page = None
        if writer.session_id != spared:
            await sessions.lock(tx, writer.session_id, page)
    return KeptForm(writer.account_id, page)


async def _was_sent(tx: Transaction, request: Request, writer: Writer, values: Values) -> bool:
    key = values.get("once", [""])[-1]
    sent = await tx.session.get(KeptAnswer, (writer.account_id, route_of(request), key)) if key else None
    return sent is not None and sent.body_digest == _digest({name: found for name, found in values.items() if name != "once"})


async def keep_refused(request: Request, visit: Visit) -> str | None:
    """Keeps the form that was refused just now; returns the address at which it stands again, None where it was a button only."""
    sent: Values = getattr(request.state, "sent", {})
    page, kept = page_of(sent), _written(sent)
    if page is None or not kept:
        return None
    async with edge_of(request).database.write() as tx:
        is_kept = await sessions.keep_draft(tx, writer_of(request, visit), page, kept)
    return as_it_stood(page) if is_kept else None


def _written(values: Values) -> Values:
    return {name: found for name, found in values.items() if name not in SECRETS and name not in {PAGE, KEPT}}


async def leave(request: Request, visit: Visit | None) -> None:
    """Locks whoever is at the page, and keeps what stands in its form; raises StaleForm."""
    is_ours = await keep_form(request) is not None
    if visit is None:
        return
    if not is_ours:
        await form_of(request, visit)  # a browser that has lost its own cookie keeps nothing, and hides the page all the same
    async with edge_of(request).database.write() as tx:
        await sessions.lock(tx, visit.session_id)  # the page may be another person's: then she is not the one who sits here


def writer_of(request: Request, visit: Visit) -> Writer:
    """The visitor, as whoever writes in a form at this browser."""
    return Writer(visit.session_id, visit.actor.account_id, browser_of(request, edge_of(request)))


def as_it_stood(page: str) -> str:
    """The address of a page on which the form stands as it was kept."""
    return f"{page}?{KEPT}=1"


def page_of(values: Values) -> str | None:
    """The page that a form stands on, as the form itself says; None where it is a button only, with nothing to keep, or where what
    it names is no page."""
    named = values.get(PAGE, [""])[-1]
    return inside(named) if 0 < len(named) <= PATH_CHARACTERS_MAX else None


async def draft_of(request: Request, _visit: Visit) -> Filled:  # type: ignore[type-arg]
    """The form as it stood when this page was hidden, where the address asks for it; else an empty one."""
    return kept_form(request)


async def is_herself(edge: Edge, visit: Visit, pin: str) -> bool:
    """Whether the visitor shows with her PIN that it is still her: somebody may sit at a page that another left open. Wrong ones
    are counted as at a locked page; who guesses is signed out."""
    is_right = await is_own_pin(edge, visit, pin)
    await note_pins(edge, visit, is_right=is_right)
    return is_right


async def is_own_pin(edge: Edge, visit: Visit, pin: str) -> bool:
    """The same, not counted yet: `note_pins` is called once for all that was typed at one page."""
    async with edge.database.read() as tx:
        account = await tx.session.get(Account, visit.actor.account_id)
    if account is None:
        raise Elsewhere("/sign-in")
    return await credentials.is_pin(account.pin_hash, pin, account.id)


async def note_pins(edge: Edge, visit: Visit, *, is_right: bool) -> None:
    """Counts the PINs of one form, right where all of them are: one's own takes nothing off another's that is guessed."""
    async with edge.database.write() as tx:
        goes_on = await sessions.note_pin(tx, visit.session_id, is_right=is_right)
    if not goes_on:
        raise Elsewhere("/sign-in")


Work = Callable[[Transaction], Awaitable[str]]


async def submit(request: Request, edge: Edge, visit: Visit, values: Values, work: Work) -> Response:
    """Runs a page's command in one transaction and goes where `work` says. The same form sent twice is done once, and the second
    tap goes where the first one went. Raises StaleForm."""
    key = values.pop("once", [""])[-1]
    if len(key) > KEY_CHARACTERS_MAX:
        raise not_ours()
    digest, by = _digest(values), visit.actor
    async with in_turn(edge, (by.account_id, route_of(request), key or str(new_id()))), edge.database.write() as tx:
        location = None
        if key:
            await lock_key(tx, by, request, key, waits=True)
            kept = await tx.session.get(KeptAnswer, (by.account_id, route_of(request), key))
            location = kept.answer.decode() if kept is not None and kept.body_digest == digest else None
        if location is None:
            location = await work(tx)
            if KEPT in values:  # else what is kept there is of somebody else, and has not been shown
                await sessions.forget_draft(tx, writer_of(request, visit), page_of(values) or request.url.path)
            if key:
                await keep_answer(tx, by, route_of(request), key, digest, Response(location.encode(), 303))
        crash_point("command.before_commit")
    crash_point("command.after_commit")
    return RedirectResponse(location, 303)


def _digest(values: Values) -> bytes:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).digest()


def set_session(response: Response, edge: Edge, token: str) -> None:
    """The session's cookie: for this site only, never for scripts."""
    response.set_cookie(
        edge.pages.cookie, token, max_age=int(ABSOLUTE_END.total_seconds()), httponly=True, samesite="strict",
        secure=edge.pages.is_secure, path="/",
    )  # fmt: skip


def drop_session(response: Response, edge: Edge) -> None:
    """The browser forgets the session."""
    response.delete_cookie(edge.pages.cookie, path="/", secure=edge.pages.is_secure, httponly=True, samesite="strict")


def browser_of(request: Request, edge: Edge) -> str:
    """What the browser that asks holds as its own; something new where it holds nothing of ours."""
    held = request.cookies.get(f"{edge.pages.cookie}-device", "")
    return held if len(held) == BROWSER_CHARACTERS else new_browser()


def device_of(request: Request, edge: Edge) -> UUID:
    """The browser that asks, as the database knows it."""
    return device_id(browser_of(request, edge))


def set_browser(response: Response, edge: Edge, browser: str) -> None:
    """Remembers the browser, so that its sessions can be listed for the next user, and what was written there can be read."""
    response.set_cookie(
        f"{edge.pages.cookie}-device", browser, max_age=DEVICE_LIFE_S, httponly=True, samesite="strict",
        secure=edge.pages.is_secure, path="/",
    )  # fmt: skip
