"""An agency's directory as its peers read it: verified line by line against the root whose fingerprint was pinned in person.

Keys are never looked up by anything but their id, and an id is a digest of the key.
"""

import contextlib
import hashlib
from collections import defaultdict
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import ValidationError

from shared.contracts.wire.directory import (
    DOMAIN,
    LINES_MAX,
    SIGNATURE_BYTES,
    START,
    TOLD_MAX,
    Cut,
    Key,
    Line,
    Lines,
    Revocation,
    Told,
    Use,
)
from shared.contracts.wire.envelope import KEY_ID_BYTES
from shared.kit.errors import RefnetError


class BadDirectory(RefnetError):
    """Lines that the pinned root did not sign, or that do not follow on what is known."""


def key_id(public: bytes) -> bytes:
    """The id by which envelopes and headers name a key."""
    return hashlib.sha256(b"refnet key 1\0" + public).digest()[:KEY_ID_BYTES]


def fingerprint(root: bytes) -> str:
    """What two people compare in person: 64 hex digits of the root's public key."""
    return hashlib.sha256(b"refnet root 1\0" + root).hexdigest()


def digest_of(signed: bytes) -> bytes:
    """The digest that the next line names."""
    return hashlib.sha256(DOMAIN + signed).digest()


def _digest(told: Told) -> bytes:
    if told.signed is not None:
        return digest_of(told.signed)
    assert told.digest is not None, "a line is told in full, or as its digest"
    return told.digest


def sign_line(root: Ed25519PrivateKey, line: Line) -> bytes:
    """A line under the root's signature: 64 bytes, then the line."""
    said = line.model_dump_json(exclude_none=True).encode()
    return root.sign(DOMAIN + said) + said


def revocation(key: bytes, cuts: Mapping[str, tuple[Cut, ...]]) -> Iterator[tuple[str | None, Revocation]]:
    """What the lines that give a key up say, in their order, each with the peer that it is for, None for everybody.

    `cuts`: how far each peer's stream goes, empty for one to which nothing was said; who has no line holds nothing against the key.
    Between them stands a line for all wherever a letter would else hold nothing but digests: it carries the letter, and from there
    on nobody takes anything new under the key, wherever the reader's own place comes.
    """
    for number, (peer, reached) in enumerate(cuts.items(), 1):
        yield peer, Revocation(key=key, cuts=reached)
        if number % (TOLD_MAX - 1) == 0 and number < len(cuts):
            yield None, Revocation(key=key)
    yield None, Revocation(key=key)


@dataclass(frozen=True, slots=True)
class _Published:
    number: int
    key: Key


class Directory:
    """What is known of one agency's keys. Lines are only ever added."""

    def __init__(self, agency: str, root: bytes) -> None:
        self.agency, self.root = agency, root
        self.lines: list[Told] = []
        self._verifier = Ed25519PublicKey.from_public_bytes(root)
        self._before = START
        self._published: dict[bytes, _Published] = {}
        self._revoked: set[bytes] = set()
        self._cuts: dict[tuple[bytes, str], dict[UUID, int]] = defaultdict(dict)

    @property
    def size(self) -> int:
        """How many lines are known, told in full or not."""
        return len(self.lines)

    def take(self, told: Lines) -> int:
        """Adds what is new of some lines and returns how many were; raises BadDirectory, and then nothing of them stands.

        A digest stands once a line that the root has signed follows on it: anybody can make one up, or tell one in the place of a
        line that was meant for us. Where such a line comes in full after all, it is learnt.
        """
        fresh = self._verified(told)
        for number, one, full in self._told_in_full(told):
            self._learn(full)
            self.lines[number - 1] = one
        return self._add(fresh)

    def _add(self, fresh: Sequence[tuple[Told, Line | None]]) -> int:
        for one, line in fresh:
            if line is not None:
                self._learn(line)
            self._before = _digest(one)
            self.lines.append(one)
        return len(fresh)

    def _told_in_full(self, told: Lines) -> list[tuple[int, Told, Line]]:
        """The lines that are known as their digests only, and come in full now."""
        known = zip(self.lines[told.first - 1 :], told.lines, strict=False)
        return [
            (number, one, self._read(one.signed))
            for number, (ours, one) in enumerate(known, told.first)
            if ours.signed is None and one.signed is not None and digest_of(one.signed) == ours.digest
        ]

    def catch_up(self, other: "Directory") -> None:
        """Adds what another reading of the same directory has beyond this one; of another root's, nothing."""
        if other.root == self.root:
            with contextlib.suppress(BadDirectory):
                self._add(self._following(other.lines[self.size :]))

    def take_whole(self, lines: Sequence[Told]) -> None:
        """Adds every line of a whole directory; raises BadDirectory, also where it ends in digests that no signed line follows."""
        self._add(self._following(lines[self.size :]))
        if self.size < len(lines):
            raise BadDirectory("The directory of %(agency)s ends in what nobody has signed.", agency=self.agency)

    def with_lines(self, told: Lines) -> list[Told]:
        """The same stretch as these lines would leave it: known ones as they stand, new ones verified. Raises BadDirectory."""
        fresh = self._verified(told)
        known = dict(enumerate(self.lines[told.first - 1 :][: len(told.lines)], told.first))
        known |= {number: one for number, one, _ in self._told_in_full(told)}
        return [*known.values(), *(one for one, _ in fresh)]

    def _verified(self, told: Lines) -> list[tuple[Told, Line | None]]:
        """What is new of some lines, up to the last that is told in full, and what each of those says."""
        if told.agency != self.agency or told.first > self.size + 1:
            raise BadDirectory("These lines do not follow on what is known of %(agency)s.", agency=self.agency)
        return self._following(told.lines[self.size + 1 - told.first :])

    def _following(self, lines: Sequence[Told]) -> list[tuple[Told, Line | None]]:
        """The same of lines that follow on what is known, however many."""
        fresh: list[tuple[Told, Line | None]] = []
        before = self._before
        for number, one in enumerate(lines, self.size + 1):
            if number > LINES_MAX:
                raise BadDirectory("The directory of %(agency)s is longer than any can be.", agency=self.agency)
            line = None if one.signed is None else self._read(one.signed)
            if line is not None and (line.agency, line.number, line.before) != (self.agency, number, before):
                raise BadDirectory("A line in the directory of %(agency)s does not follow on the one before.", agency=self.agency)
            fresh.append((one, line))
            before = _digest(one)
        while fresh and fresh[-1][1] is None:
            fresh.pop()
        return fresh

    def _read(self, signed: bytes) -> Line:
        signature, said = signed[:SIGNATURE_BYTES], signed[SIGNATURE_BYTES:]
        try:
            self._verifier.verify(signature, DOMAIN + said)
            return Line.model_validate_json(said)
        except (InvalidSignature, ValidationError) as error:
            raise BadDirectory("A line in the directory of %(agency)s is not its root's.", agency=self.agency) from error

    def _learn(self, line: Line) -> None:
        if line.publishes is not None:
            self._published[key_id(line.publishes.public)] = _Published(line.number, line.publishes)
        elif line.revokes is not None and line.to is None:
            self._revoked.add(line.revokes.key)
        elif line.revokes is not None and line.to is not None:
            self._cuts[(line.revokes.key, line.to)] |= {cut.incarnation: cut.upto for cut in line.revokes.cuts}

    @property
    def has_revoked(self) -> bool:
        """Whether any key was ever given up."""
        return bool(self._revoked)

    def published(self) -> list[tuple[Key, datetime]]:
        """The keys, each with when it was published, oldest first."""
        lines = [Line.model_validate_json(told.signed[SIGNATURE_BYTES:]) for told in self.lines if told.signed is not None]
        return [(line.publishes, line.made_at) for line in lines if line.publishes is not None]

    def replaced_signers(self) -> list[bytes]:
        """The signing keys that another has replaced and that still stand, oldest first."""
        newest = self.newest(Use.SIGN)
        return [id_ for id_, one in self._published.items() if one.key.use is Use.SIGN and id_ not in {newest, *self._revoked}]

    def next_line(self) -> tuple[int, bytes]:
        """(number, digest of the line before) of the line that would come next."""
        return self.size + 1, self._before

    def key(self, id_: bytes, use: Use) -> Key | None:
        """A published key, in use, retired or revoked."""
        found = self._published.get(id_)
        return found.key if found is not None and found.key.use is use else None

    def replaced_at(self, id_: bytes) -> int | None:
        """The line that published a key to seal to which is not the newest any more; None for every other id."""
        found = self._published.get(id_)
        is_old = found is not None and found.key.use is Use.SEAL and self.newest(Use.SEAL) != id_
        return found.number if found is not None and is_old else None

    def is_revoked(self, id_: bytes) -> bool:
        """Whether the agency has given the key up, from some place in its streams on."""
        return id_ in self._revoked

    def given_up(self, reader: str) -> dict[bytes, dict[UUID, int]]:
        """The keys that were given up, each with how far it reaches in the lives of the stream to `reader`: no further than 0 in
        those that are not named.

        A key whose line for `reader` was not read is left out: it may follow in the next letter, or be told as its digest so far,
        and what is held against a word is never taken back.
        """
        return {id_: dict(self._cuts[id_, reader]) for id_ in self._revoked if (id_, reader) in self._cuts}

    def reaches(self, id_: bytes, reader: str, incarnation: UUID, seq: int) -> bool:
        """Whether a slot of the stream to `reader` may stand under this key: any, until it was revoked; from then on none until the
        line for `reader` was read, and what is refused meanwhile is asked for again when it was."""
        return id_ not in self._revoked or seq <= self._cuts.get((id_, reader), {}).get(incarnation, 0)

    def newest(
        self, use: Use, among: Container[bytes] | None = None, suites: Sequence[int] = (), upto: int | None = None
    ) -> bytes | None:
        """The id of the newest key that is not revoked; `among` those, of these suites, up to that line, where they are given."""
        good = [
            (published.number, id_)
            for id_, published in self._published.items()
            if published.key.use is use and id_ not in self._revoked
            and (among is None or id_ in among) and (not suites or published.key.suite in suites)
            and (upto is None or published.number <= upto)
        ]  # fmt: skip
        return max(good)[1] if good else None

    def told_to(self, reader: str, first: int) -> Lines:
        """Lines from a number on, as one peer is told them: those for another as their digests.

        No more than up to the last that is told in full: nobody takes what comes after it, and the next letter would not follow.
        """
        lines = []
        for told in self.lines[first - 1 : first - 1 + TOLD_MAX]:
            line = None if told.signed is None else Line.model_validate_json(told.signed[SIGNATURE_BYTES:])
            is_anothers = line is not None and line.to not in (None, reader)
            lines.append(Told(digest=_digest(told)) if is_anothers else told)
        upto = max((n for n, one in enumerate(lines, 1) if one.signed is not None), default=len(lines))
        return Lines(agency=self.agency, first=first, lines=tuple(lines[:upto]))
