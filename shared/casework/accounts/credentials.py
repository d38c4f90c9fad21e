"""How somebody shows who she is: a password, one code of a printed card, and a short PIN to come back to a locked page.

Wrong answers are counted in the database and answered alike, so a refusal is a returned value: an error would undo the count.
"""

import asyncio
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from uuid import UUID

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.profiles import RFC_9106_LOW_MEMORY
from sqlalchemy import delete, func, select
from sqlmodel import col

from shared.casework.accounts.tables import Account, CardCode
from shared.casework.here import Actor
from shared.kit.db import Transaction
from shared.kit.errors import Conflict, RefnetError

PASSWORD_CHARACTERS_MIN = 12  # NIST SP 800-63B asks for length, not for kinds of characters
PASSWORD_CHARACTERS_MAX = 200  # what argon2 is given to chew on has a limit
PIN_DIGITS = 6
CARD_CODES = 40  # a working month of sign-ins on one sheet
CODE_DIGITS = 6
CODES_LEFT_FEW = 5  # from here on a new card is proposed
FAILURES_MAX = 5  # wrong passwords or codes in a row, then the account waits
WAIT = timedelta(minutes=15)

_hasher = PasswordHasher.from_parameters(RFC_9106_LOW_MEMORY)
_STRAIGHT = "01234567890123456789"


class Answer(StrEnum):
    """What became of an answer."""

    RIGHT = "right"
    WRONG = "wrong"
    WAIT = "wait"  # too many wrong ones: later


class WeakSecret(RefnetError):
    """The password or PIN is one that would be guessed."""


@dataclass(frozen=True, slots=True)
class Issued:
    """A one-time password and a card, shown once."""

    password: str
    codes: tuple[tuple[int, str], ...]


async def issue(tx: Transaction, account: Account) -> Issued:
    """A one-time password and a new code card for an account; its old ones end."""
    password = "-".join("".join(secrets.choice("abcdefghjkmnpqrstuvwxyz23456789") for _ in range(4)) for _ in range(4))
    account.password_hash, account.must_renew, account.pin_hash = await _hash(password), True, None
    account.failed_count, account.waits_until = 0, None
    codes = await new_card(tx, account)
    return Issued(password, codes)


async def new_card(tx: Transaction, account: Account) -> tuple[tuple[int, str], ...]:
    """A new code card; the old one's codes end. The codes are shown once and kept as digests."""
    await tx.session.execute(delete(CardCode).where(col(CardCode.account_id) == account.id))
    codes = tuple((number, _digits(CODE_DIGITS)) for number in range(1, CARD_CODES + 1))
    for number, code in codes:
        tx.session.add(CardCode(account_id=account.id, number=number, digest=_digest(account.id, number, code)))
    account.asked_code = None
    await tx.session.flush()
    return codes


async def check_password(tx: Transaction, name: str, password: str) -> tuple[Answer, Account | None]:
    """The account behind a name and a password. An unknown name costs as long as a wrong password."""
    query = select(Account).where(col(Account.name) == name).with_for_update()
    account = (await tx.session.execute(query)).scalar_one_or_none()
    if account is None or account.is_disabled or account.password_hash is None:
        await _matches(await _dummy(), password)
        return Answer.WRONG, None
    if _waits(tx, account):
        return Answer.WAIT, None
    if not await _matches(account.password_hash, password):
        return _failed(tx, account), None
    return Answer.RIGHT, account


async def code_asked(tx: Transaction, account: Account) -> int | None:
    """The number on the card that must be answered: it stays the same until it is, so that nobody picks one by reloading."""
    if account.asked_code is None:
        query = select(col(CardCode.number)).where(col(CardCode.account_id) == account.id, col(CardCode.used_at).is_(None))
        unused = list((await tx.session.execute(query)).scalars())
        account.asked_code = secrets.choice(unused) if unused else None
        await tx.session.flush()
    return account.asked_code


async def check_code(tx: Transaction, account: Account, code: str) -> Answer:
    """One code of the card, used up whether it is asked for again or not."""
    if _waits(tx, account):
        return Answer.WAIT
    number = await code_asked(tx, account)
    row = await tx.session.get(CardCode, (account.id, number)) if number is not None else None
    if row is None or not hmac.compare_digest(row.digest, _digest(account.id, row.number, code.replace(" ", ""))):
        return _failed(tx, account)
    row.used_at, account.asked_code = tx.clock.now(), None
    account.failed_count, account.waits_until = 0, None
    await tx.session.flush()
    return Answer.RIGHT


async def codes_left(tx: Transaction, account_id: UUID) -> int:
    """How many codes of the card are unused."""
    query = select(func.count()).where(col(CardCode.account_id) == account_id, col(CardCode.used_at).is_(None))
    return int((await tx.session.execute(query)).scalar_one())


async def set_own_secrets(tx: Transaction, by: Actor, password: str | None, pin: str) -> None:
    """The account's own password and PIN; raises WeakSecret. The password stays where None is given."""
    account = await tx.session.get(Account, by.account_id)
    if account is None:
        raise Conflict("The account is gone; sign in again.")
    check_pin(pin)
    if password is not None:
        check_new_password(password, account.name)
        account.password_hash, account.must_renew = await _hash(password), False
    account.pin_hash = await _hash(pin)
    await tx.session.flush()


def check_new_password(password: str, name: str) -> None:
    """Raises WeakSecret."""
    if not PASSWORD_CHARACTERS_MIN <= len(password) <= PASSWORD_CHARACTERS_MAX:
        raise WeakSecret(f"A password has at least {PASSWORD_CHARACTERS_MIN} characters; four words do well.")
    if name.casefold() in password.casefold() or len(set(password)) <= len(password) // 4:
        raise WeakSecret("This password would be guessed; four words that have nothing to do with each other do well.")


def check_pin(pin: str) -> None:
    """Raises WeakSecret."""
    if len(pin) != PIN_DIGITS or not (pin.isascii() and pin.isdigit()):
        raise WeakSecret(f"A PIN has {PIN_DIGITS} digits.")
    if len(set(pin)) == 1 or pin in _STRAIGHT or pin in _STRAIGHT[::-1]:
        raise WeakSecret("This PIN would be guessed; choose digits that do not follow each other.")


async def check_own_pin(account: Account, pin: str) -> bool:
    """Whether a PIN is the account's."""
    return account.pin_hash is not None and await _matches(account.pin_hash, pin)


def _waits(tx: Transaction, account: Account) -> bool:
    return account.waits_until is not None and account.waits_until > tx.clock.now()


def _failed(tx: Transaction, account: Account) -> Answer:
    account.failed_count += 1
    if account.failed_count < FAILURES_MAX:
        return Answer.WRONG
    account.failed_count, account.waits_until = 0, tx.clock.now() + WAIT
    return Answer.WAIT


def _digits(count: int) -> str:
    return f"{secrets.randbelow(10**count):0{count}d}"


def _digest(account_id: UUID, number: int, code: str) -> bytes:
    # Six digits are few, but they are asked for one at a time, five times at most: the digest only keeps them out of sight.
    return hashlib.scrypt(code.encode(), salt=account_id.bytes + bytes([number]), n=1024, r=8, p=1, dklen=32)


async def _hash(secret: str) -> str:
    return await asyncio.to_thread(_hasher.hash, secret)  # a third of a second: not on the loop


_known_dummy: list[str] = []


async def _dummy() -> str:
    if not _known_dummy:
        _known_dummy.append(await _hash(secrets.token_hex()))
    return _known_dummy[0]


async def _matches(hashed: str, secret: str) -> bool:
    def verify() -> bool:
        try:
            return _hasher.verify(hashed, secret)
        except (VerificationError, InvalidHashError):
            return False

    return len(secret) <= PASSWORD_CHARACTERS_MAX and await asyncio.to_thread(verify)
