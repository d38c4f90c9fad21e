"""`refnet keys`: what the person who holds an agency's keys does with them."""

import asyncio
import os
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import select
from sqlmodel import col

from services.keys import KeyFolder, make_new
from services.retired_keys import Held, destroy_retired
from services.runtime import opened
from services.settings import MADE_UP, Settings
from shared.contracts.wire.directory import Cut, Key, Use
from shared.exchange.directory import Directory, fingerprint, key_id, revocation
from shared.exchange.keyring import HYBRID, X25519
from shared.exchange.tables import Stream
from shared.kit.errors import RefnetError
from shared.kit.local.cache import held

PASSPHRASE = "REFNET_ROOT_PASSPHRASE"  # noqa: S105 — the name of a variable
PASSPHRASE_CHARACTERS_MIN = 16  # of a root that may lie in a drawer for years: four words
SUITE_OF = {"x25519": X25519, "hybrid": HYBRID}
SUITE_NAMES = {number: name for name, number in SUITE_OF.items()}

Ask = Callable[[str], str]


class Keeper:
    """One agency's keys on this machine. `ask` is how a passphrase is asked for."""

    def __init__(self, settings: Settings, agency: str, now: datetime, ask: Ask) -> None:
        self._settings, self._network, self._now, self._ask = settings, settings.network_with(agency), now, ask
        self._folder = KeyFolder(settings.home, agency)

    def new(self, suite: str, *, if_none: bool = False) -> dict[str, Any]:
        """Makes the root and the first keys; raises RefnetError where there are any, and it is not only to see that there are."""
        there = self._folder.read(self._folder.agency) if if_none else None
        if there is not None:
            found = fingerprint(there.root)
            return {"agency": self._folder.agency, "fingerprint": found, "words": f"{self._folder.agency} has keys: {found}."}
        directory = make_new(self._folder, self._now, self._passphrase(is_new=True), SUITE_OF[suite])
        print_of = fingerprint(directory.root)
        words = (
            f"{self._folder.agency} has keys now. The fingerprint of its root is\n    {print_of}\n"
            f"Compare it in person; it stands in the network file as `root` of {self._folder.agency}.\n"
            f"Give {self._folder.directory_file(self._folder.agency)} to every peer, and take the root,"
            f" {self._folder.private / 'root.pem'}, off this machine."
        )
        return {"agency": self._folder.agency, "fingerprint": print_of, "words": words}

    def rotate(self, suite: str, root: Path | None) -> dict[str, Any]:
        """Makes new keys, and gives up the signing keys that were replaced before now; raises RefnetError."""
        self._folder.own()
        signer = self._folder.root(root, self._passphrase())
        with self._folder.locked():
            directory = self._folder.own()
            given_up = self._give_up_replaced(directory, signer)
            self._folder.make_keys(signer, self._now, SUITE_OF[suite], directory)
        newest = {use: directory.newest(use) for use in Use}
        words = (
            f"New keys: {', '.join(f'{id_.hex()} to {use}' for use, id_ in newest.items() if id_)}."
            " The workers take them up and tell the peers by themselves; the old keys go on opening what is under way."
            f"{given_up}"
        )
        anew = self.rewrap() if self._keystore().exists() else {"words": ""}
        words = f"{words}\n{anew['words']}".strip()
        return {"agency": self._folder.agency, **{use: (id_ or b"").hex() for use, id_ in newest.items()}, "words": words}

    def _give_up_replaced(self, directory: Directory, signer: Ed25519PrivateKey) -> str:
        """What to say of the signing keys that were replaced already: by now nobody is spoken to under one."""
        old = directory.replaced_signers()
        if not old:
            return ""
        try:
            cuts = asyncio.run(self._reached())
        except RefnetError as error:  # new keys are never held up by it
            still = ", ".join(id_.hex() for id_ in old)
            return f"\n{still} could not be given up ({error}) Run `refnet keys revoke` for it where the database answers."
        for id_ in old:
            self._give_up(directory, signer, id_, cuts)
        return f"\nGiven up, because another had replaced it before: {', '.join(id_.hex() for id_ in old)}."

    def rewrap(self) -> dict[str, Any]:
        """A new wrapping key, under which the keys of all cases are put before the old ones are destroyed; raises RefnetError.

        A run that dies leaves both: the next one goes on.
        """
        agency = self._folder.agency
        keys, wrapping = self._settings.keystore(agency), self._settings.wrapping(agency)
        _ = keys.id  # one that is not here is not made anew
        try:
            with held(self._settings.home / "keys.lock"):  # of two at once each would destroy what the other has wrapped under
                made = wrapping.make(self._now)
                count = keys.rewrap()
                for old in wrapping.read().keys() - {made} - keys.wrapped_under():
                    wrapping.destroy(old)
        except OSError as error:
            raise RefnetError(f"{wrapping.folder} cannot be written to; run this where it can, as the keys' owner.") from error
        finally:
            keys.close()
        words = (
            f"{count:,} keys of cases lie under the new wrapping key {made.hex()}; the old one is destroyed."
            f" Back up the keystore, and {wrapping.folder} apart from it: earlier copies open nothing any more."
        )
        return {"agency": agency, "wrapping": made.hex(), "keys": count, "words": words}

    def _keystore(self) -> Path:
        file = self._settings.keystore(self._folder.agency).file
        assert file is not None
        return file

    def revoke(self, key: str, root: Path | None) -> dict[str, Any]:
        """Gives a signing key up, from where the streams are now; raises RefnetError."""
        id_ = _id(key)
        self._check_revocable(self._folder.own(), id_)
        signer = self._folder.root(root, self._passphrase())
        with self._folder.locked():
            directory = self._folder.own()
            self._check_revocable(directory, id_)
            self._give_up(directory, signer, id_, asyncio.run(self._reached()))
            self._folder.save(directory)
        words = f"{key} is revoked: what was said under it until now stands. The workers tell the peers by themselves."
        return {"agency": self._folder.agency, "revoked": key, "words": words}

    def _check_revocable(self, directory: Directory, id_: bytes) -> None:
        """Raises RefnetError where a key is none that could be given up."""
        if directory.key(id_, Use.SIGN) is None:
            raise RefnetError(f"{self._folder.agency} has no signing key {id_.hex()}; `refnet keys list` shows them.")
        if directory.is_revoked(id_):
            raise RefnetError(f"The key {id_.hex()} is revoked already.")
        if directory.newest(Use.SIGN) == id_:
            raise RefnetError(f"{id_.hex()} is the key in use; make another first with `refnet keys rotate {self._folder.agency}`.")

    def _give_up(self, directory: Directory, signer: Ed25519PrivateKey, id_: bytes, cuts: Mapping[str, tuple[Cut, ...]]) -> None:
        """Adds the lines that give a signing key up: one for each peer, then one for all."""
        for peer, revokes in revocation(id_, cuts):
            self._folder.write_line(directory, signer, self._now, to=peer, revokes=revokes)

    async def _reached(self) -> dict[str, tuple[Cut, ...]]:
        """How far the stream to each peer goes, in every life of the database; nowhere where nothing was ever said to it."""
        async with opened(self._settings, self._folder.agency) as agency, agency.database.read() as tx:
            rows = (await tx.session.execute(select(Stream).where(col(Stream.size) > 0))).scalars()
            found: dict[str, list[Cut]] = {peer: [] for peer in self._network.peers_of(self._folder.agency)}
            for row in rows:
                found.setdefault(row.recipient, []).append(Cut(incarnation=row.incarnation, upto=row.size))
        return {peer: tuple(cuts) for peer, cuts in sorted(found.items())}

    def listed(self) -> dict[str, Any]:
        """Its keys with what has become of each, and the roots that are known here; raises RefnetError."""
        directory = self._folder.own()
        keys = [self._fate(_shown(directory, key, made_at)) for key, made_at in directory.published()]
        roots = {}
        for agency in (self._folder.agency, *self._network.peers_of(self._folder.agency)):
            known = self._folder.read(agency)
            pinned = self._network.agencies[agency].root
            roots[agency] = {
                "fingerprint": fingerprint(known.root) if known else None,
                "pinned": None if pinned is None or known is None else fingerprint(known.root) == pinned,
            }
        words = "\n".join(
            [*(f"{one['id']}  {one['use']:<4}  {one['suite']:<7}  {one['made_at']:%Y-%m-%d}  {_state_words(one)}" for one in keys)]
            + [f"{agency}: {_root_words(root)}" for agency, root in roots.items()]
            + ([self._unpinned()] if any(root["fingerprint"] and root["pinned"] is None for root in roots.values()) else [])
        )
        return {"agency": self._folder.agency, "keys": keys, "roots": roots, "words": words}

    def _unpinned(self) -> str:
        """What it means that the network file names no root, and what to do."""
        means = "Not pinned: the network file names no fingerprint to compare that root with."
        if self._network.purpose in MADE_UP:
            return f"{means} That is harmless in a {self._network.purpose}, where nobody is real; with real people each is pinned."
        return (
            f"{means} Whoever can change a directory's file could put himself between: compare each fingerprint with its holder in"
            " person, and write it into the network file as `root` of that agency."
        )

    def _fate(self, shown: dict[str, Any]) -> dict[str, Any]:
        """A key as it is listed, with when its private half was destroyed, if it was."""
        at = self._folder.destroyed(bytes.fromhex(shown["id"])) if shown["use"] == Use.SEAL else None
        return shown if at is None else {**shown, "state": "destroyed", "destroyed_at": at}

    def destroy(self) -> dict[str, Any]:
        """Destroys the private halves of keys to seal to that nothing needs any more, and says of the others why not yet."""
        found = asyncio.run(self._destroyed())
        keys = [{"id": one.key.id.hex(), "is_destroyed": one.is_due, "waits_for": one.words} for one in found]
        words = [f"{one.key.id.hex()} is destroyed." if one.is_due else f"{one.key.id.hex()} stays: {one.words}." for one in found]
        return {"agency": self._folder.agency, "keys": keys, "words": "\n".join(words) or "No key has been replaced."}

    async def _destroyed(self) -> list[Held]:
        async with opened(self._settings, self._folder.agency) as agency:
            try:
                return await destroy_retired(agency.database, self._folder, agency.here.peers, self._now)
            except OSError as error:
                words = f"{self._folder.private} cannot be written to; run this where it can, as the keys' owner."
                raise RefnetError(words) from error

    def _passphrase(self, *, is_new: bool = False) -> bytes | None:
        """What opens the root; a made-up network's has none."""
        given = os.environ.get(PASSPHRASE)
        if given is None and self._network.purpose in MADE_UP:
            return None
        if given is None:
            given = self._ask(f"Passphrase of the root of {self._folder.agency}")
        if is_new and len(given) < PASSPHRASE_CHARACTERS_MIN:
            raise RefnetError(f"A root's passphrase has {PASSPHRASE_CHARACTERS_MIN} or more characters; take four words.")
        return given.encode()


def _id(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError as error:
        raise RefnetError(f"'{text}' is no key's id; `refnet keys list` shows them.") from error


def _shown(directory: Directory, key: Key, made_at: datetime) -> dict[str, Any]:
    id_ = key_id(key.public)
    state = "revoked" if directory.is_revoked(id_) else "in use" if directory.newest(key.use) == id_ else "old"
    suite = "ed25519" if key.use is Use.SIGN else SUITE_NAMES.get(key.suite, str(key.suite))
    return {"id": id_.hex(), "use": str(key.use), "suite": suite, "made_at": made_at, "state": state}


def _state_words(shown: dict[str, Any]) -> str:
    return f"destroyed on {shown['destroyed_at']:%Y-%m-%d}" if shown["state"] == "destroyed" else str(shown["state"])


def _root_words(root: dict[str, Any]) -> str:
    if root["fingerprint"] is None:
        return "its directory is not here; take it from its owner"
    pinned = {True: "as the network file pins it", False: "NOT what the network file pins", None: "not pinned"}[root["pinned"]]
    return f"{root['fingerprint']}, {pinned}"
