"""The keys of cases beyond their keystore: those of held cases in escrow, where any two of agency, court and data protection
officer open them together and no one alone; and those that were destroyed, which stay so.

    <home>/escrow/<agency>/holders/<holder>.json    a holder's public key; the private half is the holder's, elsewhere
    <home>/escrow/<agency>/<hold>/keys.json         the keys of the case, under a key of the hold's own
    <home>/escrow/<agency>/<hold>/<holder>.json     a share of that key, sealed to its holder

The folder may be another disk's, and should be: what is shredded on this machine stays there, for the court. When the court lifts
the hold it is written over and gone, and no holder keeps a share of it.
"""

import asyncio
import base64
import contextlib
import hashlib
import json
import logging
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import exists, inspect, select
from sqlmodel import SQLModel, col

from shared.casework.accounts.commands import forget_old_answers
from shared.casework.cases.commands import key_names
from shared.casework.cases.views import note_read
from shared.casework.consents.tables import Consent
from shared.casework.exports.commands import Wish, encrypted
from shared.casework.exports.domain import PURPOSES, What
from shared.casework.exports.tables import Export
from shared.casework.here import SYSTEM, Here
from shared.casework.holds.commands import add_to_holds, forgotten, in_force, put_back
from shared.casework.holds.releasing import destroy_released
from shared.casework.holds.tables import HeldCopy, Hold
from shared.exchange.erasing import received_key
from shared.exchange.keyring import SUITES, X25519, SealKey, opening_key, sealing_key
from shared.exchange.tables import Tombstone
from shared.kit.db import Database, Transaction
from shared.kit.errors import Conflict, RefnetError
from shared.kit.files import EVERYBODY, check_new, sync_folder, write_new, write_over, write_whole
from shared.kit.ids import new_id
from shared.kit.keystore import KEY_BYTES, NONCE_BYTES, Keystore, KeystoreAway, WrappingKeys, opened_with
from shared.kit.sealed import Sealed, as_it_lies
from shared.kit.shares import NEEDED, SHARES, join, split

HOLDERS = ("agency", "court", "protection_officer")
DEPOSIT_EVERY_S = 60.0  # a hold that was just placed waits for its escrow no longer
KEYS = "keys.json"
# But for a recipient's, of a consent that was given here: under it lies what was heard in answer before it was taken back.
ANSWERS = exists().where(col(Consent.id) == col(Tombstone.consent_id), col(Consent.recipient) == col(Tombstone.sender))
LAID = select(col(Tombstone.sender), col(Tombstone.consent_id)).where(~ANSWERS)
HELD = select(col(HeldCopy.sender), col(HeldCopy.consent_id))

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Escrow:
    """Where an agency's escrow lies."""

    folder: Path

    def make_holder(self, holder: str, private: Path, *, anew: bool = False) -> None:
        """A new key for a holder, whose private half goes to `private` and leaves this machine with him; `anew`: in the place of
        one that he has lost, under which nothing may lie any more once this is over (`renew_holder`). Raises RefnetError."""
        if holder not in HOLDERS:
            raise RefnetError(f"'{holder}' holds nothing; the holders are {', '.join(HOLDERS)}.")
        if self._public(holder).exists() and not anew:
            lies = "what is in escrow lies under it" if self.ids() else "nothing lies in escrow yet"
            raise RefnetError(
                f"{said_of(holder)} has a key already, and {lies}. Where it was lost or stolen, say --anew: {holder} is given"
                " another, and the old one opens nothing more."
            )
        if anew and not self._public(holder).exists():
            raise RefnetError(f"{said_of(holder)} has no key yet that could be made anew; leave out --anew.")
        check_new(private)
        key = SealKey.make(X25519)
        said = {"holder": holder, "private": _text(key.private), "public": _text(key.public)}
        try:
            write_new(private, json.dumps(said).encode())
        except OSError as error:
            raise RefnetError(f"{private} cannot be written ({error.strerror}); name another file.") from error
        try:
            public = json.dumps({"holder": holder, "public": _text(key.public)}).encode()
            write_whole(self._public(holder), public, EVERYBODY)
        except OSError as error:
            private.unlink()
            raise RefnetError(
                f"The escrow at {self.folder} cannot be written to ({error.strerror}); look after its disk, or correct"
                " REFNET_ESCROW."
            ) from error

    def lacks(self) -> list[str]:
        """The holders who have no key yet: without all three nothing is brought here."""
        return [holder for holder in HOLDERS if not self._public(holder).exists()]

    def shares_a_disk_with(self, file: Path) -> bool:
        """Whether this folder, or what it is to lie in, is on the disk of a file of the machine's. Raises OSError."""
        here = next(one for one in (self.folder, *self.folder.parents) if one.exists())
        return file.exists() and here.stat().st_dev == file.stat().st_dev

    def ids(self) -> set[UUID]:
        """The holds whose keys are here."""
        return {UUID(one.name) for one in self.folder.glob("*-*-*-*-*") if one.is_dir()}

    def holds_keys(self, hold: UUID) -> int:
        """How many keys lie here for a hold."""
        # Blanks: it was being written over when the power went.
        with contextlib.suppress(FileNotFoundError, ValueError):
            return int(json.loads((self.folder / str(hold) / KEYS).read_bytes())["count"])
        return 0

    def put(self, hold: UUID, keys: Mapping[bytes, bytes]) -> None:
        """Puts a case's keys here, whole or not at all, in the place of what lay there for the hold."""
        over = AESGCM.generate_key(KEY_BYTES * 8)
        nonce, said = os.urandom(NONCE_BYTES), json.dumps({id_.hex(): _text(key) for id_, key in keys.items()}).encode()
        sealed = nonce + AESGCM(over).encrypt(nonce, said, _bound(hold))
        lies, new, old = self.folder / str(hold), self.folder / f"new_{hold.hex}", self.folder / f"old_{hold.hex}"
        self._write_over(new)  # left by a put that was cut off
        assert len(HOLDERS) == SHARES
        for holder, share in zip(HOLDERS, split(over), strict=True):
            public = base64.b64decode(json.loads(self._public(holder).read_bytes())["public"])
            shut = SUITES[X25519].encrypt(share, sealing_key(X25519, public), _bound(hold))
            write_whole(new / f"{holder}.json", json.dumps({"share": _text(shut)}).encode())
        write_whole(new / KEYS, json.dumps({"count": len(keys), "keys": _text(sealed)}).encode())
        self._write_over(old)
        if lies.exists():
            lies.replace(old)
        new.replace(lies)
        sync_folder(self.folder)
        self._write_over(old)

    def take_away(self, hold: UUID) -> None:
        """Writes over what lies here for a hold, and takes it away. Raises OSError."""
        for name in (f"new_{hold.hex}", f"old_{hold.hex}", str(hold)):
            self._write_over(self.folder / name)

    def _write_over(self, folder: Path) -> None:
        if folder.exists():
            for file in sorted(folder.iterdir()):  # also what a power cut left half written
                write_over(file)
            folder.rmdir()
            sync_folder(self.folder)

    def finish(self) -> None:
        """Ends what a power cut has cut off between two renames: what lay here lies here again. Raises OSError."""
        for old in self.folder.glob("old_*"):
            lies = self.folder / str(UUID(old.name.removeprefix("old_")))
            if lies.exists():
                self._write_over(old)
            else:
                old.replace(lies)
                sync_folder(self.folder)

    def open(self, hold: UUID, holders: Sequence[Path]) -> dict[bytes, bytes]:
        """The keys of a held case, by id, with the private keys of two holders; raises RefnetError."""
        folder = self.folder / str(hold)
        if not (folder / KEYS).is_file():
            raise RefnetError(f"Nothing is in escrow for the hold {hold}; `refnet hold list` shows what is held.")
        keys = [_private_key(file) for file in holders]
        if len(keys) != NEEDED:
            raise RefnetError(f"It takes the private keys of {NEEDED} different holders of this escrow; bring them.")
        if keys[0]["holder"] == keys[1]["holder"]:
            whose = said_of(keys[0]["holder"]).removeprefix("The ")
            raise RefnetError(
                f"{holders[0]} and {holders[1]} are both the key of the {whose}; it takes those of two different holders."
            )
        shares = [self._share(folder, hold, key, file) for key, file in zip(keys, holders, strict=True)]
        try:
            sealed = base64.b64decode(json.loads((folder / KEYS).read_bytes())["keys"])
            opened = AESGCM(join(shares)).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], _bound(hold))
        except (OSError, ValueError, KeyError, TypeError, InvalidTag) as error:
            raise RefnetError(
                f"What lies at {folder} is damaged; bring a copy of that folder, and name it with REFNET_ESCROW."
            ) from error
        return {bytes.fromhex(id_): base64.b64decode(key) for id_, key in json.loads(opened).items()}

    def _share(self, folder: Path, hold: UUID, key: Mapping[str, str], file: Path) -> bytes:
        holder = key["holder"]
        try:
            lies = base64.b64decode(json.loads((folder / f"{holder}.json").read_bytes())["share"])
            return bytes(SUITES[X25519].decrypt(lies, opening_key(X25519, base64.b64decode(key["private"])), _bound(hold)))
        except OSError as error:
            raise RefnetError(f"The share of {holder} is not at {folder}; bring the key of another holder.") from error
        except (ValueError, KeyError, TypeError, InvalidTag) as error:
            raise RefnetError(
                f"{file} does not open the share of {holder}: it is of another escrow, or of before that holder was given a new"
                " key; bring the newest one, or that of another holder."
            ) from error

    def _public(self, holder: str) -> Path:
        return self.folder / "holders" / f"{holder}.json"


def holders_of(files: Sequence[Path]) -> list[str]:
    """Whose private keys these are, in one order; raises RefnetError."""
    return sorted(_private_key(file)["holder"] for file in files)


def said_of(holder: str) -> str:
    """A holder in words."""
    return f"The {holder.replace('_', ' ')}"


def _private_key(file: Path) -> dict[str, str]:
    """What `make_holder` gave to a holder; raises RefnetError with the file that is none."""
    try:
        said = json.loads(file.read_bytes())
        found = {name: str(said[name]) for name in ("holder", "private")}
    except FileNotFoundError as error:
        raise RefnetError(f"There is no file {file}; name the private key that a holder of this escrow has.") from error
    except OSError as error:
        raise RefnetError(f"{file} cannot be read ({error.strerror}); name a holder's private key.") from error
    except (ValueError, KeyError, TypeError):
        found = {}
    if found.get("holder") not in HOLDERS:
        raise RefnetError(f"{file} is no holder's private key; it is the file that `refnet hold holder` wrote.")
    return found


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _bound(hold: UUID) -> bytes:
    return b"refnet.escrow.v1|" + hold.bytes


async def deposit(database: Database, escrow: Escrow) -> list[UUID]:
    """Puts the keys of held cases into escrow, again where there are more, and takes away what is held no longer.

    What the records do not know stays: an older copy of them may have been put back. Returns the holds that have no escrow, because
    a holder has no key yet. Raises DatabaseAway, OSError.
    """
    async with database.read() as tx:
        are_lost = bool(await forgotten(tx))
    if are_lost:
        async with database.write() as tx:
            await put_back(tx)
    async with database.read() as tx:
        await add_to_holds(tx)
        escrow.finish()
        holds = await in_force(tx)
        over = select(col(Hold.id)).where(col(Hold.id).in_(escrow.ids()), col(Hold.lifted_at).is_not(None))
        for hold_id in (await tx.session.execute(over)).scalars().all():
            escrow.take_away(hold_id)
        if escrow.lacks():
            return [hold.id for hold in holds]
        for hold in holds:
            keys = tx.keys.reveal(await key_names(tx, hold.case_id))
            if len(keys) > escrow.holds_keys(hold.id):  # what was shredded here since is kept there
                escrow.put(hold.id, keys)
    return []


async def renew_holder(database: Database, escrow: Escrow, holder: str, private: Path) -> int:
    """Gives a holder who has lost his key another, and shares the keys of every held case anew, so that the old one opens nothing;
    how many holds. Nothing is changed where the keys of one of them are in escrow alone. Cut short, it is run once more.

    Raises RefnetError, DatabaseAway, OSError.
    """
    await deposit(database, escrow)
    async with database.read() as tx:
        shared = {hold.id: tx.keys.reveal(await key_names(tx, hold.case_id)) for hold in await in_force(tx)}
    lying = {hold: escrow.holds_keys(hold) for hold in escrow.ids()}
    for hold, count in lying.items():
        if count > len(shared.get(hold, {})):
            raise RefnetError(
                f"The keys of the hold {hold} are in escrow alone, so that they cannot be shared anew; have the two other holders"
                " open it (`refnet hold open`) and keep what it writes. Nothing was changed."
            )
    escrow.make_holder(holder, private, anew=True)
    again = [hold for hold in lying if hold in shared]
    if not escrow.lacks():
        for hold in again:
            escrow.put(hold, shared[hold])
    return len(again)


async def not_in_escrow(tx: Transaction, escrow: Escrow) -> list[UUID]:
    """The holds in force of whose case any key that is here is not in escrow. Raises KeystoreAway, OSError."""
    here = {hold.id: len(tx.keys.reveal(await key_names(tx, hold.case_id))) for hold in await in_force(tx)}
    return [hold for hold, count in here.items() if count > escrow.holds_keys(hold)]


async def erased_last(tx: Transaction) -> datetime | None:
    """When the key of anything that was told to this agency under a consent was destroyed last. Raises KeystoreAway."""
    laid = {received_key(sender, consent) for sender, consent in (await tx.session.execute(LAID)).tuples()}
    return tx.keys.last_destroyed(laid) if laid else None


async def erase_again(database: Database) -> int:
    """Destroys once more what an older keystore, put in the place of one that was lost, has brought back; how many keys. And those
    of answers that nobody repeats any more.

    Raises DatabaseAway.
    """
    async with database.read() as tx:
        held = {received_key(sender, consent) for sender, consent in (await tx.session.execute(HELD)).tuples()}
        laid = {received_key(sender, consent) for sender, consent in (await tx.session.execute(LAID)).tuples()} - held
        back = laid - tx.keys.gone(laid)
        back -= tx.keys.held(back)  # of a case that is held since: once that is lifted
        await forget_old_answers(tx)
        return await tx.keys.destroyed(back, tx.clock.now()) if back else 0


async def look_after_case_keys(database: Database, here: Here, escrow: Escrow, stop: asyncio.Event) -> None:
    """Looks every minute until `stop` is set. Whatever keeps one of its steps from being done, the others are, and it is said."""

    async def bring() -> None:
        if waiting := await deposit(database, escrow):
            log.warning("holds_without_escrow", extra={"count": len(waiting)})

    steps: dict[str, Callable[[], Awaitable[object]]] = {
        "released_not_destroyed": lambda: destroy_released(database, here), "not_erased_again": lambda: erase_again(database),
        "keys_not_in_escrow": bring,
    }  # fmt: skip
    while not stop.is_set():
        for left, step in steps.items():
            try:
                await step()
            except Exception as error:  # whatever it was, what runs beside this goes on
                log.warning(left, extra={"because": type(error).__name__})
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), DEPOSIT_EVERY_S)


async def read_held(tx: Transaction, keys: Mapping[bytes, bytes]) -> list[dict[str, Any]]:
    """Whatever the database holds under these keys, for the court: table, column and value."""
    found = []
    here = await (await tx.session.connection()).run_sync(lambda connection: set(inspect(connection).get_table_names()))
    for table in [table for table in SQLModel.metadata.sorted_tables if table.name in here]:
        for column, sealed in [(c, c.type) for c in table.columns if isinstance(c.type, Sealed)]:
            for held in (await tx.session.execute(select(as_it_lies(column)))).scalars():
                plain = opened_with(keys, sealed.label, *sealed.parts(held or b""))
                if plain is not None:
                    found.append({"table": table.name, "column": column.name, "value": plain.decode(errors="replace")})
    return found


async def opened_held(
    tx: Transaction, held: Sequence[Mapping[str, Any]], hold_id: UUID, agency: str, holders: Sequence[str], wish: Wish
) -> bytes:
    """What was read as it leaves, as JSON: marked with which holders opened it and what for, and encrypted to whoever shall read it
    where the wish has a key. A row among the exports says so, and one among the looks at the case, whether or not its own keys are
    left here: the sentence, which would lie sealed under them, stands in the file alone. Raises Conflict, NoKey."""
    if wish.purpose not in PURPOSES[What.HELD]:
        raise Conflict("A file of this kind is not handed out for that; choose another purpose.")
    now = tx.clock.now()
    case_id = (await tx.session.execute(select(col(Hold.case_id)).where(col(Hold.id) == hold_id))).scalar_one_or_none()
    export = Export(
        id=new_id(), account_id=SYSTEM.account_id, what=What.HELD, case_id=case_id, purpose=wish.purpose,
        period=None if case_id is not None else f"{now:%Y-%m}",  # of an older copy of the records, which do not know the hold
        recipient_key=wish.recipient_key.strip(), digest="", made_at=now,
    )  # fmt: skip
    mark = {"export": str(export.id), "agency": agency, "opened_by": list(holders), "at": now.isoformat(), "for": wish.purpose}
    said = json.dumps({**mark, "because": wish.because, "held": list(held)}).encode()
    data = encrypted(said, export.recipient_key) if export.recipient_key else said
    export.digest = hashlib.sha256(data).hexdigest()
    tx.session.add(export)
    if case_id is not None:
        await note_read(tx, case_id, SYSTEM, "_".join(["escrow", *holders]))
    await tx.session.flush()
    return data


def shred(keys: Keystore, wrapping: WrappingKeys, private: Path, now: datetime) -> int:
    """Destroys this machine's own keys, all of them: those of the cases, what wraps them, and what signs and opens.

    The machine is about to be taken by force. Nothing here is read after that, whatever copy of the database anybody has; what
    other agencies hold, and what is in escrow, is not touched. How many keys of cases there were. What wraps them goes first: a
    few bytes, without which the keystore tells nothing, whatever comes next. Raises RefnetError, which names what could not be
    destroyed, once everything else is.
    """
    left, count = [], 0
    for folder in (wrapping.folder, private):
        for file in sorted(one for one in folder.glob("*") if one.is_file()):
            try:
                write_over(file)
                sync_folder(folder)
            except OSError:
                left.append(file)
    try:
        count = keys.destroy_all(now)
    except KeystoreAway:
        left.append(keys.file or private)
    if left:
        names = ", ".join(map(str, left))
        raise RefnetError(f"{names} could not be destroyed, while all other keys here are; destroy what is left by hand.")
    return count
