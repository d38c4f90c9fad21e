"""How somebody shows who she is: a password, one code of a printed card, and a short PIN to come back to a locked page.

Wrong answers are counted in the database and answered alike, so a refusal is a returned value: an error would undo the count.
Hashing takes a third of a second on purpose, so it is done between transactions, never inside one: no referral waits for a sign-in.
Whoever has never signed in here waits in a queue of strangers, so that a flood of guesses keeps nobody from her own work.
"""

import asyncio
import hashlib
import hmac
import secrets
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TypeVar
from uuid import UUID

from argon2 import Parameters, PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.profiles import RFC_9106_LOW_MEMORY
from sqlalchemy import delete, func, select
from sqlmodel import col

from shared.casework.accounts.tables import Account, CardCode, KnownBrowser
from shared.casework.here import Actor
from shared.kit.db import Database, Transaction
from shared.kit.digits import typed
from shared.kit.errors import Conflict, RefnetError

PASSWORD_CHARACTERS_MIN = 12  # NIST SP 800-63B asks for length, not for kinds of characters
PASSWORD_CHARACTERS_MAX = 200  # what argon2 is given to chew on has a limit
PIN_DIGITS = 6
CARD_CODES = 40  # a working month of sign-ins on one sheet
CODE_DIGITS = 6
CODES_LEFT_FEW = 5  # from here on a new card is proposed
FAILURES_MAX = 5  # wrong passwords or codes in a row, then the account waits
WAIT = timedelta(minutes=15)
ONE_TIME_LIFE = timedelta(days=3)  # a password that somebody else has seen
KNOWN_LIFE = timedelta(days=90)  # a browser that was not used for a quarter is a stranger again
HASH_THREADS = 2  # a hash takes 64 MiB and a core: a flood of sign-ins must leave the rest of the agency at work
HASHES_WAITING_MAX = 20  # in one queue, about four seconds of them; the next is told to come back
CLIENT_HASHES_MAX = 4  # of these, from one browser or address: colleagues may share one

Result = TypeVar("Result")

_STRAIGHT = "01234567890123456789"


class Answer(StrEnum):
    """What became of an answer."""

    RIGHT = "right"
    WRONG = "wrong"
    OVER = "over"  # right, and too old: a new one is needed


@dataclass(frozen=True, slots=True)
class Cost:
    """What it costs to try one secret. Whoever has no secrets to keep, as a test that signs in a thousand times, takes less."""

    password: Parameters
    code_n: int  # scrypt's N


# The six digits of a code are few, but asked for one at a time, five times at most: their digest only keeps them out of sight.
FULL_COST = Cost(RFC_9106_LOW_MEMORY, code_n=1024)
cost = FULL_COST


class WeakSecret(RefnetError):
    """The password or PIN is one that would be guessed. `field` says which of the two."""

    def __init__(self, field: str, sentence: str, **params: object) -> None:
        super().__init__(sentence, **params)
        self.field = field


class TooBusy(RefnetError):
    """More people sign in at once than this machine can check."""


class Queue:
    """Hashes that wait their turn; raises TooBusy where too many do, of all or of one client."""

    def __init__(self, name: str) -> None:
        self._threads = ThreadPoolExecutor(HASH_THREADS, thread_name_prefix=name)
        self._waiting: Counter[str] = Counter()

    async def run(self, client: str, work: Callable[[], Result]) -> Result:
        """Runs `work` in a thread of this queue."""
        if self._waiting.total() >= HASHES_WAITING_MAX or self._waiting[client] >= CLIENT_HASHES_MAX:
            raise TooBusy("Many people sign in at this moment; wait a few seconds and try again.")
        self._waiting[client] += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._waiting[client] -= 1
            self._waiting += Counter()  # keeps those that still wait


strangers, colleagues = Queue("argon2-strangers"), Queue("argon2-colleagues")


@dataclass(frozen=True, slots=True)
class Client:
    """Where an answer comes from: the browser by its own random id, and its address."""

    device: UUID
    address: str


@dataclass(frozen=True, slots=True)
class Issued:
    """A one-time password and a card, shown once."""

    password: str
    codes: tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True)
class OneTime:
    """A password for the first sign-in and its hash: made before the transaction that keeps it."""

    password: str
    hashed: str


async def one_time() -> OneTime:
    """A new one-time password."""
    password = "-".join("".join(secrets.choice("abcdefghjkmnpqrstuvwxyz23456789") for _ in range(4)) for _ in range(4))
    return OneTime(password, await _hash(password, password))


async def issue(tx: Transaction, account: Account, made: OneTime) -> Issued:
    """Gives an account a one-time password and a new code card; its old ones end."""
    account.password_hash, account.must_renew, account.pin_hash = made.hashed, True, None
    account.one_time_until = tx.clock.now() + ONE_TIME_LIFE
    _forget_failures(account)
    await tx.session.execute(delete(KnownBrowser).where(col(KnownBrowser.account_id) == account.id))
    codes = await new_card(tx, account)
    return Issued(made.password, codes)


async def new_card(tx: Transaction, account: Account) -> tuple[tuple[int, str], ...]:
    """A new code card; the old one's codes end. The codes are shown once and kept as digests."""
    await tx.session.execute(delete(CardCode).where(col(CardCode.account_id) == account.id))
    codes = tuple((number, _digits(CODE_DIGITS)) for number in range(1, CARD_CODES + 1))
    for number, code in codes:
        tx.session.add(CardCode(account_id=account.id, number=number, digest=_digest(account.id, number, code)))
    account.asked_code = None
    await tx.session.flush()
    return codes


async def check_password(database: Database, name: str, password: str, client: Client) -> Answer:
    """Whether a password is the one behind a name. An unknown name, a disabled account and one that waits cost and say the same."""
    async with database.read() as tx:
        account = await _by_name(tx, name)
        is_known = await _is_known(tx, client.device)
    hashed = account.password_hash if account is not None and not account.is_disabled else None
    queue, who = (colleagues, str(client.device)) if is_known else (strangers, client.address)
    is_right = await _matches(hashed or await _dummy(), password, queue, who)
    async with database.write() as tx:
        account = await _by_name(tx, name, is_for_update=True)
        if account is None or account.is_disabled or hashed is None:
            return Answer.WRONG
        counted = await _counted(tx, account, client.device)
        # A one-time password is nothing that anybody guesses: it opens though strangers have tried, else they shut a station out.
        is_one_time = account.one_time_until is not None and is_right
        if _waits(tx, counted) and not is_one_time:
            return Answer.WRONG
        if not is_right or account.password_hash != hashed:  # changed meanwhile: the old one is no longer right
            return _failed(tx, counted)
        if account.one_time_until is not None and account.one_time_until <= tx.clock.now():
            return Answer.OVER
    return Answer.RIGHT


async def _is_known(tx: Transaction, device: UUID) -> bool:
    query = select(col(KnownBrowser.device)).where(col(KnownBrowser.device) == device).limit(1)
    return (await tx.session.execute(query)).first() is not None


async def _counted(tx: Transaction, account: Account, device: UUID) -> Account | KnownBrowser:
    """Where wrong answers are counted: at a browser that has signed in to the account, else all strangers together."""
    return await tx.session.get(KnownBrowser, (account.id, device)) or account


async def _by_name(tx: Transaction, name: str, *, is_for_update: bool = False) -> Account | None:
    query = select(Account).where(col(Account.name) == name)
    return (await tx.session.execute(query.with_for_update() if is_for_update else query)).scalar_one_or_none()


async def code_asked(tx: Transaction, account: Account) -> int | None:
    """The number on the card that must be answered: it stays the same until it is, so that nobody picks one by reloading."""
    if account.asked_code is None:
        query = select(col(CardCode.number)).where(col(CardCode.account_id) == account.id, col(CardCode.used_at).is_(None))
        unused = list((await tx.session.execute(query)).scalars())
        account.asked_code = secrets.choice(unused) if unused else None
        await tx.session.flush()
    return account.asked_code


async def check_code(tx: Transaction, account: Account, code: str, device: UUID) -> Answer:
    """One code of the card, used up whether it is asked for again or not. The browser is known from then on. The caller has locked
    the account: guesses at once are counted one by one."""
    known = await tx.session.get(KnownBrowser, (account.id, device))
    until = account.code_waits_until if known is None else known.waits_until
    if until is not None and until > tx.clock.now():
        return Answer.WRONG
    number = await code_asked(tx, account)
    row = await tx.session.get(CardCode, (account.id, number)) if number is not None else None
    if row is None or not hmac.compare_digest(row.digest, _digest(account.id, row.number, typed(code))):
        return _failed(tx, known) if known is not None else _failed_code(tx, account)
    row.used_at, account.asked_code = tx.clock.now(), None
    _forget_failures(account)
    if known is not None:
        known.failed_count, known.waits_until = 0, None
    await _remember(tx, account, device)
    return Answer.RIGHT


async def _remember(tx: Transaction, account: Account, device: UUID) -> None:
    now = tx.clock.now()
    await tx.session.execute(delete(KnownBrowser).where(col(KnownBrowser.used_at) < now - KNOWN_LIFE))
    known = await tx.session.get(KnownBrowser, (account.id, device))
    if known is None:
        tx.session.add(KnownBrowser(account_id=account.id, device=device, used_at=now))
    else:
        known.used_at = now
    await tx.session.flush()


async def codes_left(tx: Transaction, account_id: UUID) -> int:
    """How many codes of the card are unused."""
    query = select(func.count()).where(col(CardCode.account_id) == account_id, col(CardCode.used_at).is_(None))
    return int((await tx.session.execute(query)).scalar_one())


async def set_own_secrets(database: Database, by: Actor, password: str | None, pin: str) -> None:
    """The account's own password and PIN; raises WeakSecret. The password stays where None is given."""
    pin = typed(pin)
    check_pin(pin)
    if password is not None:
        check_new_password(password, by.name)
    who = str(by.account_id)
    password_hash, pin_hash = await _hash(password, who) if password is not None else None, await _hash(pin, who)
    async with database.write() as tx:
        account = await tx.session.get(Account, by.account_id)
        if account is None or account.is_disabled:
            raise Conflict("The account is gone; sign in again.")
        if password_hash is not None:
            account.password_hash, account.must_renew, account.one_time_until = password_hash, False, None
        account.pin_hash = pin_hash


def check_new_password(password: str, name: str) -> None:
    """Raises WeakSecret."""
    if not PASSWORD_CHARACTERS_MIN <= len(password) <= PASSWORD_CHARACTERS_MAX:
        raise WeakSecret(
            "password", "A password has at least %(least)s characters; four words do well.", least=PASSWORD_CHARACTERS_MIN
        )
    if name.casefold() in password.casefold() or len(set(password)) <= len(password) // 4:
        raise WeakSecret("password", "This password would be guessed; four words that have nothing to do with each other do well.")


def check_pin(pin: str) -> None:
    """Raises WeakSecret."""
    if len(pin) != PIN_DIGITS or not (pin.isascii() and pin.isdigit()):
        raise WeakSecret("pin", "A PIN has %(digits)s digits.", digits=PIN_DIGITS)
    if len(set(pin)) == 1 or pin in _STRAIGHT or pin in _STRAIGHT[::-1]:
        raise WeakSecret("pin", "This PIN would be guessed; choose digits that do not follow each other.")


async def is_pin(pin_hash: str | None, pin: str, who: UUID) -> bool:
    """Whether a PIN is the one that was hashed; `who` asks: a browser or an account."""
    return pin_hash is not None and await _matches(pin_hash, typed(pin), colleagues, str(who))


def _waits(tx: Transaction, counted: Account | KnownBrowser) -> bool:
    return counted.waits_until is not None and counted.waits_until > tx.clock.now()


def _failed(tx: Transaction, counted: Account | KnownBrowser) -> Answer:
    counted.failed_count += 1
    if counted.failed_count >= FAILURES_MAX:
        counted.failed_count, counted.waits_until = 0, tx.clock.now() + WAIT
    return Answer.WRONG


def _failed_code(tx: Transaction, account: Account) -> Answer:
    account.code_failed_count += 1
    if account.code_failed_count >= FAILURES_MAX:
        account.code_failed_count, account.code_waits_until = 0, tx.clock.now() + WAIT
    return Answer.WRONG


def _forget_failures(account: Account) -> None:
    account.failed_count, account.waits_until, account.code_failed_count, account.code_waits_until = 0, None, 0, None


def _digits(count: int) -> str:
    return f"{secrets.randbelow(10**count):0{count}d}"


def _digest(account_id: UUID, number: int, code: str) -> bytes:
    return hashlib.scrypt(code.encode(), salt=account_id.bytes + bytes([number]), n=cost.code_n, r=8, p=1, dklen=32)


async def _hash(secret: str, who: str) -> str:
    return await colleagues.run(who, lambda: PasswordHasher.from_parameters(cost.password).hash(secret))


_known_dummy: list[str] = []


async def _dummy() -> str:
    if not _known_dummy:
        _known_dummy.append(await _hash(secrets.token_hex(), "dummy"))
    return _known_dummy[0]


async def _matches(hashed: str, secret: str, queue: Queue, who: str) -> bool:
    def verify() -> bool:
        try:
            return PasswordHasher().verify(hashed, secret)  # at the cost that the hash names
        except (VerificationError, InvalidHashError):
            return False

    return len(secret) <= PASSWORD_CHARACTERS_MAX and await queue.run(who, verify)
