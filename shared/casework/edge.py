"""The edge of an agency's API: who asks, one transaction a request, repeated requests answered alike, refusals as problems."""

import asyncio
import contextlib
import hashlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, FastAPI, Header, Request
from fastapi.responses import JSONResponse, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, ValidationError
from sqlalchemy import delete, select, text
from sqlmodel import col
from starlette.exceptions import HTTPException

from shared.casework import scope
from shared.casework.accounts import sessions
from shared.casework.accounts.commands import A_UUID, actor_of, answers_key, names_of
from shared.casework.accounts.credentials import TooBusy
from shared.casework.accounts.tables import Attempt, KeptAnswer
from shared.casework.cases.commands import WrongTime
from shared.casework.cases.looks import ids_of
from shared.casework.cases.tables import Case
from shared.casework.consents.commands import StaleConsent
from shared.casework.eyes.tables import Opening
from shared.casework.following.streams import OpenStreams, TooManyStreams
from shared.casework.here import Actor, Forbidden, Here, SeesNoCase
from shared.casework.lines.figures import Figures
from shared.casework.lines.readiness import ExchangeState
from shared.casework.pages.frame import Pages
from shared.casework.referrals.commands import Stale
from shared.casework.sharing import ConsentMissing
from shared.casework.shown import Shown
from shared.contracts.casework.lifecycle import IllegalTransition, MissingDetail
from shared.exchange.inbox import Inbox
from shared.exchange.outbox import insert_if_absent
from shared.kit.bodies import Body
from shared.kit.crash import crash_point
from shared.kit.db import NOBODY, Database, Room, Transaction, asking, only_looks, turn_number
from shared.kit.errors import Conflict, DatabaseAway, DatabaseFull, NotFound, RefnetError
from shared.kit.ids import new_id
from shared.kit.pages import is_same_site, same_token
from shared.kit.sealed import Under
from shared.kit.web import AsgiApp, Receive, Scope, Send, dump, heard_again, problem

ANSWERS_KEPT = timedelta(hours=24)  # the scope of an Idempotency-Key
KEY_CHARACTERS_MAX = 200  # a UUID has 36; a key column of PostgreSQL holds 2,700 bytes, and this in any script fits
TURN_WAIT_S = 10  # how long a second tap waits for the first; a command takes a fraction of a second
AWAY = 503  # the status of whatever the database did not do
RETRY_AFTER_S = 2  # what a client is told to wait when the database is away
VERSION_DIGITS_MAX = 9  # of an ETag; no object is changed a thousand million times
PAGE_MAX = 200  # rows of one answer; a list of thousands is read page by page, so that no request holds the database for long
PAGE_DEFAULT = 50  # rows where the request names no number: what somebody looks through


class KeyReused(RefnetError):
    """The key was used with another body."""


class StillRunning(RefnetError):
    """The first request with this key has not been answered yet."""


class KeyMissing(RefnetError):
    """This route needs an Idempotency-Key."""


class VersionMissing(RefnetError):
    """This route needs If-Match."""


@dataclass
class Edge:
    """What the routes of one agency share."""

    database: Database
    here: Here
    inbox: Inbox
    pages: Pages
    migrations: Path | None = None  # the agency's own, beside the shared ones
    forgets: bool = False  # the broker is the trial one
    exchange: ExchangeState | None = None  # where this process runs one
    streams: OpenStreams = field(default_factory=OpenStreams)
    running: dict[tuple[Any, ...], asyncio.Event] = field(default_factory=dict)  # set once that request has its answer
    closing: bool = False
    figures: Figures = field(init=False)

    def __post_init__(self) -> None:
        self.figures = Figures(self.database.clock)

    def broker_words(self) -> str | None:
        """What is wrong with the broker or the line to it, for people; None where this process knows of nothing."""
        return (self.exchange.stuck or self.exchange.words) if self.exchange is not None else None


def edge_of(request: Request) -> Edge:
    """The edge that an app was made with."""
    edge: Edge = request.app.state.edge
    return edge


_bearer = HTTPBearer(auto_error=False, description="`refnet token AGENCY --user NAME` prints one")


async def signed_in(request: Request, given: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]) -> Actor:
    """The account that asks, by bearer token or by the pages' session; 401 where there is none."""
    edge = edge_of(request)
    async with edge.database.read() as tx:
        actor = await _asker(tx, request, edge, given)
    if actor is None:
        raise HTTPException(401, headers={"WWW-Authenticate": "Bearer"})
    asks(request, actor)
    return actor


def asks(request: Request, by: Actor) -> None:
    """From here on the account asks: the database is told so with each transaction, and attempts are kept as its own."""
    request.state.by = by
    asking.set(scope.told(by))


class NobodyAsks:
    """Before it is known who asks, and where nobody needs to sign in, row-level security shows nothing of anybody."""

    def __init__(self, app: AsgiApp) -> None:
        self._app = app

    async def __call__(self, request: Scope, receive: Receive, send: Send) -> None:
        if request["type"] != "http":
            await self._app(request, receive, send)
            return
        before = asking.set(NOBODY)
        try:
            await self._app(request, receive, send)
        finally:
            asking.reset(before)


class ReadsOn:
    """Where the database's disk has no room, whoever only looks is answered all the same. The first one finds out, because a look
    is kept with what it saw: the whole request is answered anew, and its look waits like those after it."""

    def __init__(self, app: AsgiApp) -> None:
        self._app = app

    async def __call__(self, request: Scope, receive: Receive, send: Send) -> None:
        looks = request["type"] == "http" and request["method"] in {"GET", "HEAD"}
        before = only_looks.set(looks)
        try:
            await (self._look(request, receive, send) if looks else self._app(request, receive, send))
        finally:
            only_looks.reset(before)

    async def _look(self, request: Scope, receive: Receive, send: Send) -> None:
        room: Room = request["app"].state.edge.database.room
        was_lacking, is_refused = room.is_lacking, False

        async def unless_refused(message: Any) -> None:
            nonlocal is_refused
            if message["type"] == "http.response.start":
                is_refused = message["status"] == AWAY and room.is_lacking and not was_lacking
            if not is_refused:
                await send(message)

        await self._app(dict(request), receive, unless_refused)
        if is_refused:
            await self._app(request, heard_again(b"", receive), send)


async def _asker(tx: Transaction, request: Request, edge: Edge, given: HTTPAuthorizationCredentials | None) -> Actor | None:
    return await (_by_session(tx, request, edge) if given is None else actor_of(tx, edge.here, given.credentials))


async def still_signed_in(tx: Transaction, request: Request, edge: Edge, by: Actor) -> bool:
    """Whether a request that goes on for long still has the right that it began with: the same account in the same role and
    place, its token not over, its session neither locked nor ended."""
    return await _asker(tx, request, edge, await _bearer(request)) == by


async def _by_session(tx: Transaction, request: Request, edge: Edge) -> Actor | None:
    visit = await sessions.visit(tx, edge.here, request.cookies.get(edge.pages.cookie))
    if visit is None or visit.is_locked or visit.needs_code or visit.must_renew:
        return None
    is_reading = request.method in {"GET", "HEAD"}
    if not is_reading and not (is_same_site(request) and same_token(request.headers.get("X-CSRF-Token", ""), visit.csrf)):
        raise Forbidden("A request with the session cookie needs the page's own X-CSRF-Token; send a bearer token instead.")
    return visit.actor


SignedIn = Annotated[Actor, Depends(signed_in)]
OneEdge = Annotated[Edge, Depends(edge_of)]
IdempotencyKey = Annotated[
    str | None,
    Header(alias="Idempotency-Key", max_length=KEY_CHARACTERS_MAX, description="A repeated request is answered alike for 24 h"),
]
IfMatch = Annotated[str | None, Header(alias="If-Match", description="The ETag of the version that you read")]


def version_of(if_match: str | None, *, needed: bool) -> int | None:
    """The version in an If-Match header; raises VersionMissing, or Stale where it is none of ours."""
    if if_match is None or if_match.strip() == "*":
        if needed and if_match is None:
            raise VersionMissing("Send If-Match with the ETag that you read, so that nobody's change is overwritten.")
        return None
    digits = if_match.strip().removeprefix("W/").strip('"')
    if not (digits.isascii() and digits.isdigit() and len(digits) <= VERSION_DIGITS_MAX):
        raise Stale("If-Match names no version of this object; read it again.")
    return int(digits)


Work = Callable[[Transaction], Awaitable[BaseModel]]


async def command(
    request: Request, edge: Edge, by: Actor, work: Work, *, status: int = 200, key: str | None = None, key_needed: bool = False
) -> Response:
    """Runs a command in one transaction and answers; with a key, the same request is done once and answered alike. Each answer
    that shows something of a case is kept as a look at it, a repeated one too."""
    if key is None:
        if key_needed:
            raise KeyMissing(
                "Send an Idempotency-Key, any text that is new for this request, so that a repeat sends nothing twice."
            )
        async with edge.database.write() as tx:
            done = await _done(tx, by, work, status)
            crash_point("command.before_commit")
        crash_point("command.after_commit")
        return done
    async with alone(edge, (by.account_id, route_of(request), key)), edge.database.write() as tx:
        await lock_key(tx, by, request, key)
        digest = hashlib.sha256(await request.body()).digest()
        kept = await tx.session.get(KeptAnswer, (by.account_id, route_of(request), key))
        if kept is not None and kept.kept_until > tx.clock.now():
            if kept.body_digest != digest:
                raise KeyReused("This Idempotency-Key was used with another body; send a new key.")
            await _still_seen(tx, edge.here, by, kept)
            view = request.scope["route"].response_model
            if kept.answer and isinstance(view, type) and issubclass(view, Shown):
                await _as_kept(view, kept).keep_look(tx, by)
            return replayed(kept)
        done = await _done(tx, by, work, status)
        await keep_answer(tx, by, route_of(request), key, digest, done)
        crash_point("command.before_commit")
    crash_point("command.after_commit")
    return done


def _as_kept(view: type[Shown], kept: KeptAnswer) -> Shown:
    """What an answer showed; raises KeyReused for one of the version before, of which that cannot be told."""
    try:
        return view.model_validate_json(kept.answer)
    except ValidationError as error:
        raise KeyReused(
            "This was done before this computer was given a newer version, and its answer is not shown again; look at what stands."
        ) from error


async def _done(tx: Transaction, by: Actor, work: Work, status: int) -> Response:
    """Runs it; what its answer shows of a case is a look at it, and looks are kept."""
    view = await work(tx)
    if isinstance(view, Shown):
        await view.keep_look(tx, by)
    return answer(view, status)


async def _still_seen(tx: Transaction, here: Here, by: Actor, kept: KeptAnswer) -> None:
    """An answer about a case that was opened beyond the own desk is given again as long as the case is open, and not after: raises
    OutOfSight, as the request itself would if it were new."""
    async with scope.whole_agency(tx):  # the hours that are over are shown to nobody at a desk
        over = select(col(Opening.case_id)).where(
            col(Opening.account_id) == by.account_id, col(Opening.until_at) <= tx.clock.now(),
            col(Opening.until_at) > kept.kept_until - ANSWERS_KEPT, col(Opening.case_id).not_in(by.opened),
        )  # fmt: skip
        told = {UUID(one) for one in A_UUID.findall(f"{kept.route} {(kept.answer or b'').decode()}".lower())}
        for case_id in sorted(set((await tx.session.execute(over)).scalars())):
            seen = select(col(Case.id)).where(col(Case.id) == case_id, scope.this_case(by))
            names = set((await tx.session.execute(ids_of(here, case_id))).scalars())  # a route may name its referral alone
            if not names.isdisjoint(told) and (await tx.session.execute(seen)).first() is None:
                raise scope.OutOfSight("There is no such case.", case_id)


def replayed(kept: KeptAnswer) -> Response:
    """The first answer again, with its ETag where it had one."""
    version = json.loads(kept.answer or b"{}").get("version")
    headers = {"Idempotent-Replayed": "true", **({"ETag": f'"{version}"'} if version is not None else {})}
    return Response(kept.answer, kept.status, media_type="application/json", headers=headers)


@asynccontextmanager
async def alone(edge: Edge, what: tuple[Any, ...]) -> AsyncIterator[None]:
    """One request of a kind at a time in this process; raises StillRunning."""
    if what in edge.running:
        raise StillRunning("The first request with this Idempotency-Key is still running; wait for its answer.")
    done = edge.running[what] = asyncio.Event()
    try:
        yield
    finally:
        del edge.running[what]
        done.set()


@asynccontextmanager
async def in_turn(edge: Edge, what: tuple[Any, ...]) -> AsyncIterator[None]:
    """As `alone`, for people: whoever taps twice waits for the first tap to end; raises StillRunning when that takes too long."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(TURN_WAIT_S):
            while first := edge.running.get(what):
                await first.wait()
    async with alone(edge, what):
        yield


async def lock_key(tx: Transaction, by: Actor, request: Request, key: str, *, waits: bool = False) -> None:
    """Other processes of the agency: the same request at the same time is told to wait, or `waits` its turn here, as long as for
    any lock. On SQLite a writer is alone already."""
    what = f"{by.account_id}:{route_of(request)}:{key}"
    if waits:
        await tx.in_turn(what)
    elif tx.dialect == "postgresql":
        query = text("SELECT pg_try_advisory_xact_lock(:number)")
        if not (await tx.session.execute(query, {"number": turn_number(what)})).scalar_one():
            raise StillRunning("The first request with this Idempotency-Key is still running; wait for its answer.")


def route_of(request: Request) -> str:
    """What an Idempotency-Key is scoped to, beside the account."""
    return f"{request.method} {request.url.path}"


async def keep_answer(tx: Transaction, by: Actor, route: str, key: str, digest: bytes, done: Response) -> None:
    """Keeps an answer for the repeats of its request."""
    now = tx.clock.now()
    await tx.session.execute(delete(KeptAnswer).where(col(KeptAnswer.kept_until) <= now))
    until = now + ANSWERS_KEPT
    name = answers_key(until)
    # The clock was days ahead and has been put right: this day's key is destroyed, and desks go on all the same.
    under = None if tx.keys.gone([name]) else name
    row = {
        "account_id": by.account_id, "route": route, "key": key, "body_digest": digest, "status": done.status_code,
        "answer": Under(under, bytes(done.body)), "names": names_of(route, bytes(done.body)), "kept_until": until,
    }  # fmt: skip
    await tx.session.execute(insert_if_absent(tx, KeptAnswer), [row])


def answer(view: BaseModel, status: int = 200) -> Response:
    """A view as JSON, with its version as ETag."""
    headers = {"ETag": f'"{version}"'} if (version := getattr(view, "version", None)) is not None else None
    return Response(dump(view.model_dump(mode="json")), status, media_type="application/json", headers=headers)


class Page(Body):
    """What every list answers with; `next_cursor` null at its end."""

    items: list[Any]
    next_cursor: str | None = None


REFUSALS: list[tuple[type[Exception], int, str, str]] = [
    (NotFound, 404, "not-found", "Not found"),
    (Forbidden, 403, "forbidden", "Not for this account"),
    (IllegalTransition, 409, "illegal-transition", "Not possible now"),
    (StillRunning, 409, "still-running", "Still running"),
    (Conflict, 409, "conflict", "It does not fit what stands"),
    (Stale, 412, "stale", "It has changed"),
    (StaleConsent, 412, "stale", "It has changed"),
    (KeyReused, 422, "key-reused", "The key was used before"),
    (KeyMissing, 400, "key-missing", "A key is needed"),
    (VersionMissing, 428, "version-missing", "A version is needed"),
    (TooBusy, 429, "too-busy", "Too many at once"),
    (TooManyStreams, 429, "too-many-streams", "Too many streams"),
    (DatabaseFull, AWAY, "database-full", "The disk is full"),
    (DatabaseAway, AWAY, "database-away", "The database is away"),
]


def install_refusals(app: FastAPI) -> None:
    """Every expected refusal has its status and its problem."""
    for kind, status, slug, title in REFUSALS:
        app.add_exception_handler(kind, _refusal(status, slug, title))
    app.add_exception_handler(scope.OutOfSight, _out_of_sight)
    app.add_exception_handler(SeesNoCase, _sees_no_case)
    app.add_exception_handler(MissingDetail, _fault)
    app.add_exception_handler(WrongTime, _fault)
    app.add_exception_handler(ConsentMissing, _consent_missing)


def _refusal(status: int, slug: str, title: str) -> Callable[[Request, Exception], Awaitable[JSONResponse]]:
    async def refuse(_request: Request, error: Exception) -> JSONResponse:
        headers = {"Retry-After": str(RETRY_AFTER_S)} if status in {429, 503} else None
        return problem(status, slug, title, str(error), headers=headers)

    return refuse


async def _out_of_sight(request: Request, error: Exception) -> JSONResponse:
    """What is not there and what is not for this account are answered alike, and either is kept: the survivor may ask who tried."""
    assert isinstance(error, scope.OutOfSight)
    edge, by = edge_of(request), request.state.by
    what = f"{request.method} {request.scope['route'].path}"
    try:
        async with edge.database.write() as tx:
            tx.session.add(Attempt(id=new_id(), account_id=by.account_id, what=what, about=error.about, tried_at=tx.clock.now()))
    except DatabaseAway as away:
        status, slug, title = next((status, slug, title) for kind, status, slug, title in REFUSALS if isinstance(away, kind))
        return await _refusal(status, slug, title)(request, away)
    return await _refusal(404, "not-found", "Not found")(request, error)


async def _sees_no_case(request: Request, error: Exception) -> JSONResponse:
    """To somebody whose role sees no case none is there; what is about none says why it is refused."""
    for value in reversed(request.path_params.values()):
        with contextlib.suppress(ValueError):
            return await _out_of_sight(request, scope.OutOfSight("There is nothing at this address.", UUID(str(value))))
    return await _refusal(403, "forbidden", "Not for this account")(request, error)


async def _fault(_request: Request, error: Exception) -> JSONResponse:
    field_name = str(getattr(error, "field", "body"))
    errors = [{"field": field_name, "message": str(error)}]
    return problem(422, "invalid", "The request is not valid", str(error), errors=errors)


async def _consent_missing(_request: Request, error: Exception) -> JSONResponse:
    missing = {"recipient": getattr(error, "recipient", None), "item": getattr(error, "item", None)}
    return problem(422, "consent-missing", "Consent is missing", str(error), consent=missing)
