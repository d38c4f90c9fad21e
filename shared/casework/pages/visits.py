"""Who is at a page, and what a page may send: sessions from cookies, forms that carry their session's token, each sent once."""

import hashlib
import json
from collections.abc import Awaitable, Callable
from typing import Annotated
from urllib.parse import quote
from uuid import UUID

from fastapi import Depends, Request, Response
from fastapi.responses import RedirectResponse

from shared.casework.accounts import sessions
from shared.casework.accounts.sessions import ABSOLUTE_END, Visit
from shared.casework.accounts.tables import KeptAnswer
from shared.casework.edge import Edge, edge_of, in_turn, keep_answer, lock_key, route_of
from shared.casework.here import Forbidden
from shared.casework.pages.frame import KEPT, kept_form
from shared.contracts.casework.codes import Role
from shared.kit.crash import crash_point
from shared.kit.db import Transaction
from shared.kit.forms import Filled, Values, read_values
from shared.kit.ids import new_id
from shared.kit.pages import is_same_site, same_token

AUTO = "auto"  # in the address where a page without JavaScript fetches itself again
LIVE = "/live"
PAGE = "page"  # the field of a form that names its own page
DEVICE_LIFE_S = 400 * 24 * 3600  # the longest that browsers keep a cookie
HOMES = {Role.SUPERVISOR: "/alarms", Role.ADMINISTRATOR: "/accounts"}
SECRETS = frozenset({"password", "again", "old", "pin", "once"})  # fields that no draft keeps


class Elsewhere(Exception):
    """This page cannot be shown now; another one is."""

    def __init__(self, location: str) -> None:
        super().__init__(location)
        self.location = location


class StaleForm(Forbidden):
    """The form came from another page or another session."""


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
        if visit is not None and token and request.method == "GET" and not visit.is_locked:
            request.state.kept = await sessions.read_draft(tx, visit.session_id, token, request.url.path)
    if visit is not None and visit.needs_seen and not visit.is_locked and _is_by_hand(request):
        async with edge.database.write() as tx:
            await sessions.touch(tx, visit.session_id)
    return visit


def _is_by_hand(request: Request) -> bool:
    # A page that fetches itself again proves that it is open, not that somebody sits before it.
    is_own_doing = request.method == "GET" and ("hx-request" in request.headers or AUTO in request.query_params)
    return not is_own_doing and request.url.path != LIVE


async def visiting(request: Request) -> Visit:
    """Who is at the page; sends to sign-in, code, PIN or own password where that comes first."""
    visit = await any_visit(request)
    here = quote(request.url.path if request.method == "GET" else "/", safe="/")
    if visit is None:
        raise Elsewhere(f"/sign-in?next={here}")
    if visit.needs_code:
        raise Elsewhere("/sign-in/code")
    if visit.is_locked:
        if request.method == "POST":
            await keep_form(request, visit)
        raise Elsewhere(f"/locked?next={here}")
    if visit.must_renew:
        raise Elsewhere("/me/secrets")
    return visit


Visitor = Annotated[Visit, Depends(visiting)]
MaybeVisitor = Annotated[Visit | None, Depends(any_visit)]


async def form_of(request: Request, visit: Visit) -> Values:
    """The fields of a posted form; raises StaleForm where it is not this session's own."""
    values = await read_values(request)
    token = values.pop("csrf", [""])[-1]
    if not (is_same_site(request) and same_token(token, visit.csrf)):
        raise StaleForm("This form is from another session or another page; open the page again and send it from there.")
    return values


async def posted(request: Request, visit: Visitor) -> Values:
    """The fields of a form that the visitor posted."""
    return await form_of(request, visit)


Posted = Annotated[Values, Depends(posted)]


async def keep_form(request: Request, visit: Visit) -> None:
    """Locks the session and keeps what stands in the posted form, for after the PIN; raises StaleForm.

    A conversation may take longer than the lock: what was answered is never lost by it.
    """
    edge, values = edge_of(request), await form_of(request, visit)
    path = page_of(values)
    kept = {name: found for name, found in values.items() if name not in SECRETS and name != PAGE}
    async with edge.database.write() as tx:
        is_kept = path is not None and bool(kept)
        if is_kept and path is not None:
            is_kept = await sessions.keep_draft(tx, visit.session_id, request.cookies[edge.pages.cookie], path, kept)
        await sessions.lock(tx, visit.session_id, f"{path}?{KEPT}=1" if is_kept else None)


def page_of(values: Values) -> str | None:
    """The page that a form stands on, as the form itself says; None where it is a button only, with nothing to keep."""
    named = values.get(PAGE, [""])[-1]
    return inside(named) if named else None


async def draft_of(request: Request, _visit: Visit) -> Filled:  # type: ignore[type-arg]
    """The form as it stood when this page was hidden, where the address asks for it; else an empty one."""
    return kept_form(request)


Work = Callable[[Transaction], Awaitable[str]]


async def submit(request: Request, edge: Edge, visit: Visit, values: Values, work: Work) -> Response:
    """Runs a page's command in one transaction and goes where `work` says. The same form sent twice is done once, and the second
    tap goes where the first one went."""
    key = values.pop("once", [""])[-1]
    digest = hashlib.sha256(json.dumps(values, sort_keys=True).encode()).digest()
    by = visit.actor
    async with in_turn(edge, (by.account_id, route_of(request), key or str(new_id()))), edge.database.write() as tx:
        location = None
        if key:
            await lock_key(tx, by, request, key, waits=True)
            kept = await tx.session.get(KeptAnswer, (by.account_id, route_of(request), key))
            location = kept.answer.decode() if kept is not None and kept.body_digest == digest else None
        if location is None:
            location = await work(tx)
            await sessions.forget_draft(tx, visit.session_id, page_of(values) or request.url.path)
            if key:
                await keep_answer(tx, by, route_of(request), key, digest, Response(location.encode(), 303))
        crash_point("command.before_commit")
    crash_point("command.after_commit")
    return RedirectResponse(location, 303)


def set_session(response: Response, edge: Edge, token: str) -> None:
    """The session's cookie: for this site only, never for scripts."""
    response.set_cookie(
        edge.pages.cookie, token, max_age=int(ABSOLUTE_END.total_seconds()), httponly=True, samesite="strict",
        secure=edge.pages.is_secure, path="/",
    )  # fmt: skip


def drop_session(response: Response, edge: Edge) -> None:
    """The browser forgets the session."""
    response.delete_cookie(edge.pages.cookie, path="/", secure=edge.pages.is_secure, httponly=True, samesite="strict")


def device_of(request: Request, edge: Edge) -> UUID:
    """The browser that asks, by a random id of its own; a new one where it has none."""
    try:
        return UUID(request.cookies.get(f"{edge.pages.cookie}-device", ""))
    except ValueError:
        return new_id()


def set_device(response: Response, edge: Edge, device: UUID) -> None:
    """Remembers the browser, so that its sessions can be listed for the next user."""
    response.set_cookie(
        f"{edge.pages.cookie}-device", str(device), max_age=DEVICE_LIFE_S, httponly=True, samesite="strict",
        secure=edge.pages.is_secure, path="/",
    )  # fmt: skip
