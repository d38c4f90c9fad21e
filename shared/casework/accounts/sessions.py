"""Sessions of the pages: idle ones lock, locked ones need the PIN, and none outlives a shift.

The cookie's token is kept as a digest only. Drafts are sealed under the token, so the database alone cannot read them.
"""

import hashlib
import json
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from sqlalchemy import ColumnElement, bindparam, delete, func, select, true, update
from sqlmodel import col

from shared.casework.accounts.credentials import is_pin
from shared.casework.accounts.tables import Account, Draft, Session
from shared.casework.here import Actor, Here
from shared.contracts.casework.codes import Role
from shared.kit.db import Database, Transaction
from shared.kit.ids import new_id

TOKEN_BYTES = 32
IDLE_LOCK = timedelta(minutes=10)  # nobody touched the page: the next person at this computer needs a PIN
IDLE_END = timedelta(minutes=60)  # nobody came back
ABSOLUTE_END = timedelta(hours=12)  # one shift
KEPT = timedelta(days=7)  # an ended session's row: "what changed since you left" reads it
CODE_WAIT = timedelta(minutes=5)  # between password and code
SEEN_STEP = timedelta(minutes=1)  # how exactly the last touch is kept, so that reading stays reading
PIN_FAILURES_MAX = 5  # then the session ends, and password and code are asked for
DRAFT_BYTES_MAX = 32 * 1024  # the longest form is a few kilobytes
NONCE_BYTES = 12

# What every page asks before anything else, put together once.
VISITS = (
    select(Session, Account)
    .join(Account, col(Account.id) == col(Session.account_id))
    .where(col(Session.digest) == bindparam("token_digest"))
)
DRAFTS = select(Draft).where(col(Draft.session_id) == bindparam("session_id"), col(Draft.path) == bindparam("path"))

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


@dataclass(frozen=True, slots=True)
class Kept:
    """What stood in a form when its page was hidden or locked, and when that was."""

    fields: Fields
    kept_at: datetime


@dataclass(frozen=True, slots=True)
class Opened:
    """A session that its PIN opened: the cookie's new token, and the page whose form was kept when it was locked."""

    token: str
    back_to: str | None


@dataclass(frozen=True, slots=True)
class Waiting:
    """A session on the same browser that a PIN opens again."""

    session_id: UUID
    name: str
    role: Role


async def open_session(tx: Transaction, account: Account, device: UUID, *, needs_code: bool, language: str | None = None) -> str:
    """Begins a session after the password; returns the cookie's token."""
    token, now = secrets.token_urlsafe(TOKEN_BYTES), tx.clock.now()
    before = select(func.max(col(Session.seen_at))).where(col(Session.account_id) == account.id, col(Session.needs_code).is_(False))
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
    found = (await tx.session.execute(VISITS, {"token_digest": _digest(token)})).first()
    if found is None:
        return None
    session, account = found
    now = tx.clock.now()
    idle = now - session.seen_at
    is_over = now - session.opened_at >= ABSOLUTE_END or idle >= IDLE_END or (session.needs_code and idle >= CODE_WAIT)
    if is_over or account.is_disabled:
        return None
    return Visit(
        here.actor(account.id, account.name, Role(account.role), account.facility), session.id, session.device, session.csrf,
        is_locked=session.locked_at is not None or idle >= IDLE_LOCK, needs_code=session.needs_code,
        must_renew=account.must_renew or account.pin_hash is None, needs_seen=idle >= SEEN_STEP,
        left_at=session.left_at, language=session.language,
    )  # fmt: skip


async def touch(tx: Transaction, session_id: UUID) -> None:
    """Notes that the page was used."""
    await tx.session.execute(update(Session).where(col(Session.id) == session_id).values(seen_at=tx.clock.now()))


async def admit(tx: Transaction, session_id: UUID, token: str) -> str:
    """The code was right: the session is whole, under a new token."""
    session = await tx.session.get(Session, session_id)
    assert session is not None
    session.needs_code = False
    return await _renew(tx, session, token)


async def lock(tx: Transaction, session_id: UUID, back_to: str | None = None) -> None:
    """From now on the PIN is needed. `back_to` is the page whose form was kept just now."""
    locked = {"locked_at": tx.clock.now(), "back_to": back_to}
    await tx.session.execute(update(Session).where(col(Session.id) == session_id).values(**locked))


async def unlock(database: Database, session_id: UUID, device: UUID, pin: str, token: str | None) -> Opened | None:
    """Opens a locked session of this browser with its account's PIN; None where the PIN is wrong.

    `token` is the session's own cookie where the browser still has it, so that its drafts can be read again.
    """
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
                await end(tx, session.id)
            return None
        back_to = session.back_to if _is_own(session, token) else None  # what another cookie sealed cannot be shown
        session.locked_at, session.seen_at, session.pin_failed_count, session.back_to = None, tx.clock.now(), 0, None
        return Opened(await _renew(tx, session, token), back_to)


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


def _is_own(session: Session, token: str | None) -> bool:
    return token is not None and _digest(token) == session.digest


async def _renew(tx: Transaction, session: Session, token: str | None) -> str:
    # A new token at each step up: a cookie that was seen before it is worth nothing after it. Drafts move under the new one.
    drafts = list((await tx.session.execute(select(Draft).where(col(Draft.session_id) == session.id))).scalars())
    fresh = secrets.token_urlsafe(TOKEN_BYTES)
    is_own = _is_own(session, token)
    for draft in drafts:
        fields = _unseal(draft, token) if is_own and token else None
        if fields is None:
            await tx.session.delete(draft)
        else:
            draft.sealed = _seal(draft.session_id, draft.path, fields, fresh)
    session.digest = _digest(fresh)
    await tx.session.flush()
    return fresh


async def waiting_on(tx: Transaction, device: UUID) -> list[Waiting]:
    """The sessions of a browser that are not over, by name: the next user is two actions away."""
    now = tx.clock.now()
    query = (
        select(Session, Account)
        .join(Account, col(Account.id) == col(Session.account_id))
        .where(col(Session.device) == device, *_lives(now))
        .order_by(col(Account.name))
    )
    return [
        Waiting(session.id, account.name, Role(account.role)) for session, account in (await tx.session.execute(query)).tuples()
    ]


async def end(tx: Transaction, session_id: UUID) -> None:
    """Signs out: the cookie opens nothing any more and the drafts are gone; when it was is kept for "since you left"."""
    await tx.session.execute(delete(Draft).where(col(Draft.session_id) == session_id))
    over = {"digest": secrets.token_bytes(TOKEN_BYTES), "opened_at": tx.clock.now() - ABSOLUTE_END}
    await tx.session.execute(update(Session).where(col(Session.id) == session_id).values(**over))


async def end_all(tx: Transaction, account_id: UUID, but: UUID | None = None) -> None:
    """Ends every session of an account, but for one where it is given."""
    mine = select(col(Session.id)).where(col(Session.account_id) == account_id, col(Session.id) != but if but else true())
    await tx.session.execute(delete(Draft).where(col(Draft.session_id).in_(mine)))
    await tx.session.execute(delete(Session).where(col(Session.id).in_(mine)))


async def choose_language(tx: Transaction, session_id: UUID, language: str) -> None:
    """The language of this session's pages."""
    await tx.session.execute(update(Session).where(col(Session.id) == session_id).values(language=language))


async def keep_draft(tx: Transaction, session_id: UUID, token: str, path: str, fields: Fields) -> bool:
    """Keeps what stood in the form of a page, sealed, in place of what was kept of it before; False where it is too long."""
    sealed = _seal(session_id, path, fields, token)
    if len(sealed) > DRAFT_BYTES_MAX:
        return False
    await forget_draft(tx, session_id, path)
    tx.session.add(Draft(session_id=session_id, path=path, sealed=sealed, kept_at=tx.clock.now()))
    await tx.session.flush()
    return True


async def read_draft(tx: Transaction, session_id: UUID, token: str, path: str) -> Kept | None:
    """What stood in the form of a page when it was hidden, until that form is sent or it is thrown away."""
    draft = (await tx.session.execute(DRAFTS, {"session_id": session_id, "path": path})).scalar_one_or_none()
    fields = _unseal(draft, token) if draft is not None else None
    return Kept(fields, draft.kept_at) if draft is not None and fields is not None else None


async def forget_draft(tx: Transaction, session_id: UUID, path: str) -> None:
    """The form was sent, or nobody wants what stood in it."""
    await tx.session.execute(delete(Draft).where(col(Draft.session_id) == session_id, col(Draft.path) == path))


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def _key(session_id: UUID, token: str) -> AESGCM:
    derived = HKDF(hashes.SHA256(), 32, salt=session_id.bytes, info=b"refnet draft").derive(token.encode())
    return AESGCM(derived)


def _seal(session_id: UUID, path: str, fields: Fields, token: str) -> bytes:
    nonce = secrets.token_bytes(NONCE_BYTES)
    return nonce + _key(session_id, token).encrypt(nonce, json.dumps(fields).encode(), path.encode())


def _unseal(draft: Draft, token: str) -> Fields | None:
    nonce, sealed = draft.sealed[:NONCE_BYTES], draft.sealed[NONCE_BYTES:]
    try:
        fields: Fields = json.loads(_key(draft.session_id, token).decrypt(nonce, sealed, draft.path.encode()))
    except InvalidTag:
        return None
    return fields
