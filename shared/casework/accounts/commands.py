"""Accounts and bearer tokens. A token is shown once and kept as a digest only."""

import hashlib
import operator
import re
import secrets
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid5

from sqlalchemy import and_, delete, select
from sqlmodel import col

from shared.casework.accounts import credentials, sessions
from shared.casework.accounts.barred import kept
from shared.casework.accounts.credentials import Issued, OneTime
from shared.casework.accounts.sessions import actor_from
from shared.casework.accounts.tables import Account, Duty, KeptAnswer, Token
from shared.casework.cases.looks import ids_of
from shared.casework.eyes.tables import Opening
from shared.casework.here import Actor, Forbidden, Here
from shared.casework.scope import OutOfSight, whole_agency
from shared.contracts.casework.codes import ROLES_OF, AgencyKind, Role
from shared.kit.db import Transaction
from shared.kit.errors import Conflict, NotFound
from shared.kit.ids import new_id

TOKEN_BYTES = 32  # 256 bits: guessing is hopeless, so a plain digest is enough
TOKEN_LIFE = timedelta(days=90)  # a script's token is renewed each quarter
A_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
NAME_CHARACTERS_MAX = 60  # a sign-in name is typed at each shift's start; a mail address, where it is one, has 30 or so


async def add_account(tx: Transaction, here: Here, name: str, role: Role, facility: str | None) -> Account:
    """Adds an account; raises Conflict where the name is taken or the role is not one of this kind of agency."""
    if not name.strip() or len(name) > NAME_CHARACTERS_MAX:
        raise Conflict("A sign-in name has 1 to %(most)s characters.", most=NAME_CHARACTERS_MAX)
    if role not in ROLES_OF[here.kind]:
        known = tuple(sorted(ROLES_OF[here.kind]))
        raise Conflict("This agency has no role “%(role)s”; its roles are: %(known)s.", role=role, known=known)
    if facility is not None:
        here.facility(facility)
    if (await tx.session.execute(select(col(Account.id)).where(col(Account.name) == name))).first() is not None:
        raise Conflict("There is an account “%(name)s” already; choose another sign-in name.", name=name)
    account = Account(id=new_id(), name=name, role=role, facility=facility, created_at=tx.clock.now(), never=kept(frozenset()))
    tx.session.add(account)
    await tx.session.flush()
    return account


def may_look_after(here: Here, by: Actor) -> list[Role]:
    """The roles of the accounts that an account makes and changes alike: whoever may make one may as well take it over."""
    above: set[Role] = set()
    if by.role is not Role.ADMINISTRATOR or by.facility is not None:
        above.add(Role.ADMINISTRATOR)
    if by.role is not Role.ADMINISTRATOR and by.facility is not None:
        above.add(Role.SUPERVISOR)
    return [role for role in Role if role in ROLES_OF[here.kind] - above]


async def find_account(tx: Transaction, name: str) -> Account:
    """An account by its sign-in name; raises NotFound."""
    account = (await tx.session.execute(select(Account).where(col(Account.name) == name))).scalar_one_or_none()
    if account is None:
        raise NotFound("There is no account “%(name)s”; `refnet users list` shows them.", name=name)
    return account


Return = Callable[[Transaction, Here, Account], Awaitable[None]]
_returns: dict[AgencyKind | None, list[Return]] = {}


def on_disable(give_back: Return, kind: AgencyKind | None = None) -> None:
    """Registers what gives a disabled account's open items back to its facility: in every agency, or in those of a kind."""
    known = _returns.setdefault(kind, [])
    if give_back not in known:
        known.append(give_back)


async def disable_account(tx: Transaction, here: Here, name: str) -> Account:
    """Disables an account: its tokens and sessions end at once, its duties too, and what it held goes back to the facility."""
    account = await find_account(tx, name)
    async with whole_agency(tx):  # what it held goes back, whoever disables it
        account.is_disabled = True
        await _end_access(tx, account)
        await tx.session.execute(delete(Duty).where(col(Duty.account_id) == account.id, col(Duty.until_at) > tx.clock.now()))
        for give_back in (*_returns.get(None, ()), *_returns.get(here.kind, ())):
            await give_back(tx, here, account)
    return account


async def reset_account(tx: Transaction, name: str, made: OneTime) -> Issued:
    """Ends an account's tokens and sessions and lets it sign in again, with a one-time password and a new code card."""
    account = await find_account(tx, name)
    account.is_disabled = False
    await _end_access(tx, account)
    return await credentials.issue(tx, account, made)


async def _end_access(tx: Transaction, account: Account) -> None:
    await tx.session.execute(delete(Token).where(col(Token.account_id) == account.id))
    await sessions.end_all(tx, account.id)


async def accounts_of(tx: Transaction, by: Actor) -> list[Account]:
    """The accounts that a supervisor or administrator looks after: of the facility, or of the whole agency."""
    by.may_supervise()
    query = select(Account).order_by(col(Account.is_disabled), col(Account.name))
    if by.facility is not None:
        query = query.where(col(Account.facility).in_(by.desks))
    return list((await tx.session.execute(query)).scalars())


async def load_account(tx: Transaction, account_id: UUID, by: Actor) -> Account:
    """An account that somebody may see; raises OutOfSight."""
    by.may_supervise()
    account = await tx.session.get(Account, account_id)
    if account is None or not by.sees(account.facility):
        raise OutOfSight("There is no such account.", account_id)
    return account


async def load_to_change(tx: Transaction, here: Here, account_id: UUID, by: Actor) -> Account:
    """An account that somebody may reset or disable; raises NotFound, or Forbidden where it stands as high or higher."""
    account = await load_account(tx, account_id, by)
    if Role(account.role) not in may_look_after(here, by):
        raise Forbidden("An account that stands as high as your own, or higher, is changed by an administrator of the agency.")
    return account


async def make_token(tx: Transaction, name: str) -> str:
    """A bearer token for an account: shown once."""
    account = await find_account(tx, name)
    if account.is_disabled:
        raise Conflict("The account “%(name)s” is disabled; `refnet users reset` lets it sign in again.", name=name)
    token = secrets.token_urlsafe(TOKEN_BYTES)
    now = tx.clock.now()
    tx.session.add(Token(digest=_digest(token), account_id=account.id, created_at=now, expires_at=now + TOKEN_LIFE))
    await tx.session.flush()
    return token


async def actor_of(tx: Transaction, here: Here, token: str) -> Actor | None:
    """Who a bearer token belongs to; None where it is unknown, over, or its account disabled."""
    now = tx.clock.now()
    query = select(Account, Token, col(Opening.case_id)).join(Token, col(Token.account_id) == col(Account.id))
    query = query.outerjoin(Opening, and_(col(Opening.account_id) == col(Account.id), col(Opening.until_at) > now))
    rows = (await tx.session.execute(query.where(col(Token.digest) == _digest(token)))).tuples().all()
    if not rows:
        return None
    account, token_row, _case = rows[0]
    if account.is_disabled or token_row.expires_at <= now:
        return None
    return actor_from(here, account, (case_id for _account, _token, case_id in rows))


async def forget_answers(tx: Transaction, here: Here, case_id: UUID) -> None:
    """Answers kept for repeated requests about a case, content of which is gone, are gone too."""
    about = {str(id_) for id_ in (await tx.session.execute(ids_of(here, case_id))).scalars()}
    columns = (col(KeptAnswer.account_id), col(KeptAnswer.route), col(KeptAnswer.key))
    for *of, names in (await tx.session.execute(select(*columns, col(KeptAnswer.names)))).all():
        if not about.isdisjoint(names):
            await tx.session.execute(delete(KeptAnswer).where(*map(operator.eq, columns, of)))


def names_of(route: str, answer: bytes) -> list[str]:
    """The records that an answer is about: those that its address names and, where that names none, those that it names itself."""
    return sorted(set(A_UUID.findall(route) or A_UUID.findall(answer.decode())))


ANSWERS = UUID("8d3f5c52-0b7f-4a51-9d7e-1f0f3a0e77c4")  # the namespace of the names below
# Days whose keys are looked for, some milliseconds' work: a machine that was off for weeks has those of the days before, and a
# backup of then is read with them.
ANSWERS_LOOKED_BACK = 400


def answers_key(kept_until: datetime) -> UUID:
    """The name of the key that an answer lies under: of all that are kept until the same day. What they tell of a case would stay
    readable in a backup, whatever is destroyed of the case."""
    return uuid5(ANSWERS, kept_until.astimezone(UTC).date().isoformat())


async def forget_old_answers(tx: Transaction) -> int:
    """Destroys the keys of answers that nobody repeats any more; how many. Raises KeystoreAway."""
    now = tx.clock.now()
    over = tx.keys.living(answers_key(now - timedelta(days=days)) for days in range(1, ANSWERS_LOOKED_BACK + 1))
    return await tx.keys.destroyed(over, now) if over else 0


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
