"""Sessions of the pages: idle ones lock, locked ones need the PIN, and none outlives a shift.

The cookie's token is kept as a digest only. What was written and not sent belongs to its writer, however often her session locks
or ends meanwhile: it is sealed under the browser's own cookie, so that the database alone cannot read it, and shown to her alone.
"""

import hashlib
import json
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from sqlalchemy import ColumnElement, Select, and_, bindparam, delete, exists, func, or_, select, true, update
from sqlmodel import col

from shared.casework.accounts.barred import never_of
from shared.casework.accounts.credentials import is_pin
from shared.casework.accounts.tables import Account, Draft, HandOver, Session, Token
from shared.casework.eyes.tables import Opening
from shared.casework.here import Actor, Here
from shared.contracts.casework.codes import Role
from shared.kit.columns import UtcDateTime
from shared.kit.db import Database, Transaction
from shared.kit.ids import new_id

TOKEN_BYTES = 32
IDLE_LOCK = timedelta(minutes=10)  # nobody touched the page: the next person at this computer needs a PIN
IDLE_END = timedelta(minutes=60)  # nobody came back
ABSOLUTE_END = timedelta(hours=12)  # one shift
KEPT = timedelta(days=7)  # an ended session's row, with its drafts: "what changed since you left" reads it
CODE_WAIT = timedelta(minutes=5)  # between password and code
SEEN_STEP = timedelta(minutes=1)  # how exactly the last touch is kept, so that reading stays reading
PIN_FAILURES_MAX = 5  # then the session ends, and password and code are asked for
DRAFT_BYTES_MAX = 32 * 1024  # the longest form is a few kilobytes
NONCE_BYTES = 12
APART = "#"  # in the path of what is kept beside the forms: no page's own address has one

# What every page asks before anything else, put together once: a row for each case that is open to the account beyond its desks.
VISITS = (
    select(Session, Account, col(Opening.case_id), col(Opening.until_at))
    .join(Account, col(Account.id) == col(Session.account_id))
    .outerjoin(
        Opening, and_(col(Opening.account_id) == col(Account.id), col(Opening.until_at) > bindparam("now", type_=UtcDateTime))
    )
    .where(col(Session.digest) == bindparam("token_digest"))
)
WRITERS_SESSIONS = select(col(Session.id)).where(
    col(Session.account_id) == bindparam("account_id"), col(Session.device) == bindparam("device")
)
DRAFTS = select(Draft).where(col(Draft.session_id).in_(WRITERS_SESSIONS), col(Draft.path) == bindparam("path"))

# Its owner has handed her shift over since she used it last; whoever types her PIN goes on after that.
HANDED_OVER = and_(
    col(Session.locked_at).is_not(None),
    exists()
    .where(col(HandOver.given_by) == col(Session.account_id), col(HandOver.written_at) >= col(Session.seen_at))
    .correlate(Session),
)

Fields = dict[str, list[str]]


@dataclass(frozen=True, slots=True)
class Visit:
    """Who is at the page, and how far she may go. `csrf` is what every form of hers carries."""

    actor: Actor
    session_id: UUID
    device: UUID
    csrf: str
    is_locked: bool
    needs_code: bool
    must_renew: bool
    needs_seen: bool  # the last touch is old enough to be written again
    left_at: datetime | None  # the end of the session before
    language: str | None
    opened_until: Mapping[UUID, datetime] = field(default_factory=dict)  # the cases of `actor.opened`, and until when


@dataclass(frozen=True, slots=True)
class Writer:
    """Whose a form is: an account at a browser, and the session whose page it was. `browser` is what the browser's cookie holds."""

    session_id: UUID
    account_id: UUID
    browser: str

    @property
    def device(self) -> UUID:
        """The browser, as the database knows it."""
        return device_id(self.browser)


@dataclass(frozen=True, slots=True)
class Kept:
    """What stood in a form when its page was hidden or locked, when that was, and when it was first shown to its writer again."""

    fields: Fields
    kept_at: datetime
    shown_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Opened:
    """A session that a PIN or a code opened: the cookie's new token, and the page whose form was kept when she had to leave."""

    token: str
    back_to: str | None


@dataclass(frozen=True, slots=True)
class Waiting:
    """A session on the same browser that a PIN opens again; `handed_over` where its shift was."""

    session_id: UUID
    name: str
    role: Role
    handed_over: bool


async def open_session(tx: Transaction, account: Account, device: UUID, *, needs_code: bool, language: str | None = None) -> str:
    """Begins a session after the password; returns the cookie's token."""
    token, now = secrets.token_urlsafe(TOKEN_BYTES), tx.clock.now()
    # A session that is open still, in another window or at another browser, was never left.
    is_left = or_(
        col(Session.locked_at).is_not(None), col(Session.seen_at) <= now - IDLE_LOCK, col(Session.opened_at) <= now - ABSOLUTE_END
    )
    before = select(func.max(col(Session.seen_at))).where(
        col(Session.account_id) == account.id, col(Session.needs_code).is_(False), is_left
    )
    left_at = (await tx.session.execute(before)).scalar_one_or_none()
    tx.session.add(
        Session(
            id=new_id(), digest=_digest(token), account_id=account.id, device=device, csrf=secrets.token_urlsafe(TOKEN_BYTES),
            needs_code=needs_code, opened_at=now, seen_at=now, left_at=left_at, language=language,
        )
    )  # fmt: skip
    await tx.session.execute(delete(Session).where(col(Session.opened_at) < now - KEPT))
    await tx.session.flush()
    return token


async def visit(tx: Transaction, here: Here, token: str | None) -> Visit | None:
    """Who a cookie belongs to; None where its session is over or its account disabled."""
    if not token:
        return None
    now = tx.clock.now()
    asked = {"token_digest": _digest(token), "now": now}
    rows: Sequence[tuple[Session, Account, UUID | None, datetime | None]] = (await tx.session.execute(VISITS, asked)).tuples().all()
    if not rows:
        return None
    session, account, _case, _until = rows[0]
    idle = now - max(session.seen_at, tx.room.used.get(session.id, session.seen_at))
    is_over = now - session.opened_at >= ABSOLUTE_END or idle >= IDLE_END or (session.needs_code and idle >= CODE_WAIT)
    if is_over or account.is_disabled:
        return None
    opened: dict[UUID, datetime] = {}
    for _session, _account, case_id, until in rows:
        if case_id is not None and until is not None:
            opened[case_id] = max(until, opened.get(case_id, until))
    return Visit(
        actor_from(here, account, opened), session.id, session.device, session.csrf,
        is_locked=session.locked_at is not None or idle >= IDLE_LOCK, needs_code=session.needs_code,
        must_renew=account.must_renew or account.pin_hash is None, needs_seen=idle >= SEEN_STEP,
        left_at=session.left_at, language=session.language, opened_until=opened,
    )  # fmt: skip


def actor_from(here: Here, account: Account, opened: Iterable[UUID | None]) -> Actor:
    """The account that acts, with the cases that are open to it beyond its desks, and those that it may never see."""
    by = here.actor(UUID(str(account.id)), account.name, Role(account.role), account.facility)
    return replace(by, opened=frozenset(id_ for id_ in opened if id_ is not None), never=never_of(account.never))


async def touch(tx: Transaction, session_id: UUID) -> None:
    """Notes that the page was used; in memory while the database has no room for it, or whoever reads would be locked out."""
    if tx.room.puts_aside:
        tx.room.used[session_id] = tx.clock.now()
        return
    await tx.session.execute(update(Session).where(col(Session.id) == session_id).values(seen_at=tx.clock.now()))


async def admit(tx: Transaction, session_id: UUID) -> Opened:
    """The code was right: the session is whole, under a new token."""
    session = await tx.session.get(Session, session_id)
    assert session is not None
    session.needs_code = False
    return Opened(await _renew(tx, session), await come_back(tx, session.account_id, session.device))


async def was_another_here(tx: Transaction, visit: Visit) -> bool:
    """Whether somebody else was the last to be signed in at this browser: the address that was asked for may be what she left."""
    query = (
        select(col(Session.account_id))
        .where(col(Session.device) == visit.device, col(Session.id) != visit.session_id, col(Session.needs_code).is_(False))
        .order_by(col(Session.seen_at).desc(), col(Session.id).desc())
        .limit(1)
    )
    return (await tx.session.execute(query)).scalar_one_or_none() not in (None, visit.actor.account_id)


async def lock(tx: Transaction, session_id: UUID, back_to: str | None = None) -> None:
    """From now on the PIN is needed. `back_to` is the page whose form was kept just now."""
    locked = {"locked_at": tx.clock.now(), **({"back_to": back_to} if back_to is not None else {})}
    await tx.session.execute(update(Session).where(col(Session.id) == session_id).values(**locked))


async def come_back(tx: Transaction, account_id: UUID, device: UUID) -> str | None:
    """The page at which somebody was interrupted last at this browser, in whichever session of hers: told once, and only while
    its form is kept. Beyond a shift it is not told any more, but offered on its page: somebody else may sit there by then."""
    mine = (col(Session.account_id) == account_id, col(Session.device) == device, col(Session.back_to).is_not(None))
    query = select(Session).where(*mine).order_by(col(Session.locked_at).desc()).with_for_update()
    interrupted = list((await tx.session.execute(query)).scalars())
    kept = select(col(Draft.path)).where(col(Draft.session_id).in_(_sessions_of(account_id, device)))
    paths = set((await tx.session.execute(kept)).scalars())
    since = tx.clock.now() - ABSOLUTE_END
    pages = [one.back_to for one in interrupted if one.back_to in paths and one.locked_at is not None and one.locked_at > since]
    for one in interrupted:
        one.back_to = None
    await tx.session.flush()
    return pages[0] if pages else None


async def unlock(database: Database, session_id: UUID, device: UUID, pin: str) -> Opened | None:
    """Opens a locked session of this browser with its account's PIN; None where the PIN is wrong."""
    async with database.read() as tx:
        found = await _openable(tx, session_id, device)
        pin_hash = found[1].pin_hash if found else None
    is_right = await is_pin(pin_hash, pin, device)
    async with database.write() as tx:
        found = await _openable(tx, session_id, device, is_for_update=True)
        if found is None or found[1].pin_hash != pin_hash:
            return None
        session = found[0]
        if not is_right:
            session.pin_failed_count += 1
            if session.pin_failed_count >= PIN_FAILURES_MAX:
                await _end(tx, session.id)  # somebody guessed: what its owner wrote waits for her password and card
            return None
        back_to = await come_back(tx, session.account_id, device)
        session.locked_at, session.seen_at, session.pin_failed_count = None, tx.clock.now(), 0
        return Opened(await _renew(tx, session), back_to)


async def note_pin(tx: Transaction, session_id: UUID, *, is_right: bool) -> bool:
    """Counts a PIN that was asked for in an open session as at a locked one; False where the session is over, or ends now."""
    query = select(Session).where(col(Session.id) == session_id, col(Session.opened_at) > tx.clock.now() - ABSOLUTE_END)
    session = (await tx.session.execute(query.with_for_update().execution_options(populate_existing=True))).scalar_one_or_none()
    if session is None:
        return False
    session.pin_failed_count = 0 if is_right else session.pin_failed_count + 1
    await tx.session.flush()
    if session.pin_failed_count >= PIN_FAILURES_MAX:
        await _end(tx, session.id)
        return False
    return True


async def _openable(
    tx: Transaction, session_id: UUID, device: UUID, *, is_for_update: bool = False
) -> tuple[Session, Account] | None:
    query = select(Session, Account).join(Account, col(Account.id) == col(Session.account_id))
    query = query.where(col(Session.id) == session_id, col(Session.device) == device, *_lives(tx.clock.now()))
    found = (await tx.session.execute(query.with_for_update() if is_for_update else query)).first()
    return (found[0], found[1]) if found else None


def _lives(now: datetime) -> tuple[ColumnElement[bool], ...]:
    return (
        col(Session.needs_code).is_(False), col(Account.is_disabled).is_(False),
        col(Session.seen_at) > now - IDLE_END, col(Session.opened_at) > now - ABSOLUTE_END,
    )  # fmt: skip


async def _renew(tx: Transaction, session: Session) -> str:
    # A new token at each step up: a cookie that was seen before it is worth nothing after it.
    fresh = secrets.token_urlsafe(TOKEN_BYTES)
    session.digest = _digest(fresh)
    await tx.session.flush()
    return fresh


async def waiting_on(tx: Transaction, device: UUID) -> list[Waiting]:
    """The sessions of a browser that are not over, by name: the next user is two actions away."""
    now = tx.clock.now()
    query = (
        select(Session, Account, HANDED_OVER)
        .join(Account, col(Account.id) == col(Session.account_id))
        .where(col(Session.device) == device, col(Account.pin_hash).is_not(None), *_lives(now))
        .order_by(col(Account.name))
    )
    found = (await tx.session.execute(query)).tuples()
    return [Waiting(session.id, account.name, Role(account.role), is_over) for session, account, is_over in found]


async def leave_shift(tx: Transaction, session_id: UUID, device: UUID) -> None:
    """Whoever handed over leaves the locked page: her PIN opens it no more. What she wrote and did not send waits for her next
    sign-in here. A session that has not handed over is not ended by whoever passes by."""
    query = select(col(Session.id)).where(col(Session.id) == session_id, col(Session.device) == device, HANDED_OVER)
    if (await tx.session.execute(query.with_for_update())).first() is not None:
        await _end(tx, session_id)


async def sign_out(tx: Transaction, visit: Visit) -> None:
    """Whoever is at the page leaves: no session of hers at this browser opens any more, and what she did not send there is gone.

    Who has not shown that it is her, at a locked page or between password and code, throws nothing of hers away; and with the
    password alone ends no session but the half one.
    """
    mine = _sessions_of(visit.actor.account_id, visit.device)
    if not (visit.is_locked or visit.needs_code):
        await tx.session.execute(delete(Draft).where(col(Draft.session_id).in_(mine)))
    await _end_these(tx, col(Session.id) == visit.session_id if visit.needs_code else col(Session.id).in_(mine))


async def end_everybodys(tx: Transaction) -> None:
    """Whoever is signed in signs in again, with tokens too: the database is an older copy of itself, which does not know whose
    access has been taken away since."""
    await tx.session.execute(delete(Token))
    await _end_these(tx, true())


async def _end_these(tx: Transaction, which: ColumnElement[bool]) -> None:
    """Ends those that are not over yet: a row lasts from when its session ended, not from when somebody ended it once more."""
    query = select(col(Session.id)).where(which, col(Session.opened_at) > tx.clock.now() - ABSOLUTE_END)
    for session_id in list((await tx.session.execute(query)).scalars()):
        await _end(tx, session_id)


async def _end(tx: Transaction, session_id: UUID) -> None:
    # The row stays: when it was is kept for "since you left".
    over = {"digest": secrets.token_bytes(TOKEN_BYTES), "opened_at": tx.clock.now() - ABSOLUTE_END}
    await tx.session.execute(update(Session).where(col(Session.id) == session_id).values(**over))


async def end_all(tx: Transaction, account_id: UUID, but: UUID | None = None) -> None:
    """Ends every session of an account. Where its owner does it herself, `but` goes on, and what she wrote and did not send stays;
    otherwise that is gone."""
    mine = select(col(Session.id)).where(col(Session.account_id) == account_id)
    if but is None:
        await tx.session.execute(delete(Draft).where(col(Draft.session_id).in_(mine)))
        await tx.session.execute(delete(Session).where(col(Session.id).in_(mine)))
        return
    await _end_these(tx, and_(col(Session.id).in_(mine), col(Session.id) != but))


async def choose_language(tx: Transaction, session_id: UUID, language: str) -> None:
    """The language of this session's pages."""
    await tx.session.execute(update(Session).where(col(Session.id) == session_id).values(language=language))


def new_browser() -> str:
    """What the cookie of a browser that nobody knows yet shall hold, for longer than any session."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def device_id(browser: str) -> UUID:
    """A browser as the database knows it: a digest of its cookie, because drafts are sealed under what that cookie holds."""
    return UUID(bytes=_digest(browser)[:16])


async def writer_of_form(tx: Transaction, browser: str, csrf: str) -> Writer | None:
    """Whose page of this browser a form stood on, however long ago; None where it was none that is still known."""
    query = select(Session).where(col(Session.device) == device_id(browser), col(Session.csrf) == csrf)
    session = (await tx.session.execute(query)).scalar_one_or_none()
    return Writer(session.id, session.account_id, browser) if session is not None else None


async def keep_draft(tx: Transaction, writer: Writer, path: str, fields: Fields) -> bool:
    """Keeps what stood in the form of a page, sealed, in place of what was kept of it before; False where it is too long."""
    sealed = _seal(writer, path, fields)
    if len(sealed) > DRAFT_BYTES_MAX:
        return False
    # Hide is tapped twice: the second tap finds the first one's draft.
    await tx.in_turn(f"draft:{writer.account_id}:{writer.device}")
    await forget_draft(tx, writer, path)
    tx.session.add(Draft(session_id=writer.session_id, path=path, sealed=sealed, kept_at=tx.clock.now()))
    await tx.session.flush()
    return True


async def read_draft(tx: Transaction, writer: Writer, path: str) -> Kept | None:
    """What its writer left unsent in the form of a page, in this session or one before, until it is sent or thrown away. What she
    had before her again and did not send either is gone a shift later."""
    asked = {"account_id": writer.account_id, "device": writer.device, "path": path}
    draft = (await tx.session.execute(DRAFTS, asked)).scalar_one_or_none()
    return _left_by(draft, writer, tx.clock.now()) if draft is not None else None


def _left_by(draft: Draft, writer: Writer, now: datetime) -> Kept | None:
    kept = _unseal(draft, writer)
    is_over = kept is not None and kept.shown_at is not None and kept.shown_at + ABSOLUTE_END <= now
    return None if is_over else kept


async def note_shown(tx: Transaction, writer: Writer, path: str, kept: Kept) -> None:
    """Its writer has it before her again. What was kept anew meanwhile is another."""
    sealed = _seal(writer, path, kept.fields, tx.clock.now())
    mine = (col(Draft.session_id).in_(_sessions_of(writer.account_id, writer.device)), col(Draft.path) == path)
    await tx.session.execute(update(Draft).where(*mine, col(Draft.kept_at) == kept.kept_at).values(sealed=sealed))


async def keeps_something(tx: Transaction, writer: Writer) -> bool:
    """Whether anything waits that somebody wrote in a form at this browser and did not send."""
    query = select(Draft).where(col(Draft.session_id).in_(_sessions_of(writer.account_id, writer.device)))
    drafts = (await tx.session.execute(query)).scalars()
    return any(APART not in draft.path and _left_by(draft, writer, tx.clock.now()) is not None for draft in drafts)


async def forget_draft(tx: Transaction, writer: Writer, path: str) -> None:
    """The form was sent, or nobody wants what stood in it."""
    mine = col(Draft.session_id).in_(_sessions_of(writer.account_id, writer.device))
    await tx.session.execute(delete(Draft).where(mine, col(Draft.path) == path))


def _sessions_of(account_id: UUID, device: UUID) -> Select[tuple[UUID]]:
    return WRITERS_SESSIONS.params(account_id=account_id, device=device)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def _key(writer: Writer) -> AESGCM:
    derived = HKDF(hashes.SHA256(), 32, salt=writer.account_id.bytes, info=b"refnet draft").derive(writer.browser.encode())
    return AESGCM(derived)


def _seal(writer: Writer, path: str, fields: Fields, shown_at: datetime | None = None) -> bytes:
    nonce = secrets.token_bytes(NONCE_BYTES)
    written = {"fields": fields, "shown_at": shown_at.isoformat() if shown_at is not None else None}
    return nonce + _key(writer).encrypt(nonce, json.dumps(written).encode(), path.encode())


def _unseal(draft: Draft, writer: Writer) -> Kept | None:
    nonce, sealed = draft.sealed[:NONCE_BYTES], draft.sealed[NONCE_BYTES:]
    try:
        written = json.loads(_key(writer).decrypt(nonce, sealed, draft.path.encode()))
    except InvalidTag:
        return None
    if "shown_at" not in written:  # kept by an earlier version, which wrote no more than the fields
        return Kept(written, draft.kept_at, None)
    shown_at = written["shown_at"]
    return Kept(written["fields"], draft.kept_at, datetime.fromisoformat(shown_at) if shown_at else None)
