"""Sealing and signing: what is opened is what was said, by whom and to whom it was said; anything else is unopenable."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from uuid import UUID, uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from keys import Holder, ring

from shared.contracts.wire.directory import TOLD_MAX, Cut, Key, Lines, Revocation, Told, Use
from shared.contracts.wire.envelope import (
    OUTER_BYTES,
    PADDED_BYTES,
    SIGNATURE_BYTES,
    SIGNED_AS,
    Header,
    Kind,
    Unopenable,
    unsigned,
    unwrap,
    wrap,
)
from shared.exchange.directory import BadDirectory, Directory, digest_of, key_id
from shared.exchange.keyring import ED25519_SUITE, HYBRID, SUITES, X25519, KeyAway, Keyring
from shared.exchange.seal import KeyedSeal

LIFE = UUID(int=7)
SAID = b'{"said": "that she is on her way"}'


class Three:
    """Police, health and a third that is paired with both."""

    def __init__(self, suite: int = X25519) -> None:
        self.police, self.health, self.other = (Holder(name, suite) for name in ("police", "health", "other"))
        self.everyone = (self.police, self.health, self.other)

    def seal(self, holder: Holder) -> KeyedSeal:
        return KeyedSeal(ring(holder, [one for one in self.everyone if one is not holder]))


@pytest.fixture(scope="module")
def three() -> Three:
    return Three()


def word(seq: int = 1, sender: str = "police", recipient: str = "health", life: UUID = LIFE) -> Header:
    return Header(kind=Kind.EVENT, sender=sender, recipient=recipient, incarnation=life, seq=seq, salt=b"s" * 16)


@pytest.mark.parametrize("suite", sorted(SUITES))
def test_what_is_sealed_is_opened_by_its_recipient_alone(suite: int) -> None:
    three = Three(suite)
    police, health, other = (three.seal(one) for one in three.everyone)
    inner = police.sign(word(), SAID)
    envelope = police.seal(inner, "health")
    opened = health.open(envelope, "police")
    assert (opened.content, opened.raw, opened.header.seq) == (SAID, inner, 1)
    assert unwrap(envelope)[0] == suite
    for wrong in (other, police):
        with pytest.raises(Unopenable, match="key"):
            wrong.open(envelope, "police")


def test_an_envelope_shows_neither_its_sender_nor_its_words_and_has_one_of_four_lengths(three: Three) -> None:
    police = three.seal(three.police)
    lengths = set()
    for words in (b"x", b"x" * 400, b"x" * 3_000, b"x" * 9_000, b"x" * 60_000):
        envelope = police.seal(police.sign(word(), words), "health")
        told = words * 6  # shorter ones stand in any thousand bytes by chance
        assert not [shown for shown in (b"police", b"health", told[:6]) if shown in envelope]
        lengths.add(len(envelope) - OUTER_BYTES - 48)
    assert lengths == set(PADDED_BYTES)


@pytest.mark.parametrize("suite", sorted(SUITES))
def test_no_flipped_bit_is_opened(suite: int) -> None:
    """Every one of an ordinary event's: suite, key, what is sealed and its tag."""
    three = Three(suite)
    police, health = three.seal(three.police), three.seal(three.health)
    envelope = police.seal(police.sign(word(), SAID), "health")
    flipped, opened = bytearray(envelope), []
    for bit in range(len(envelope) * 8):
        flipped[bit // 8] ^= 1 << bit % 8
        try:
            health.open(bytes(flipped), "police")
            opened.append(bit)
        except Unopenable:
            pass
        flipped[bit // 8] ^= 1 << bit % 8
    assert (opened, len(envelope) * 8 > 8 * PADDED_BYTES[0]) == ([], True)
    assert health.open(bytes(flipped), "police").content == SAID


def test_no_flipped_bit_of_an_inner_form_is_verified(three: Three) -> None:
    """What a peer gives back, or the database of one who was broken into holds, is no word of ours unless it is to the bit."""
    police = three.seal(three.police)
    inner = police.sign(word(), SAID)
    for bit in range(len(inner) * 8):
        flipped = bytearray(inner)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(Unopenable):
            police.own(bytes(flipped), "health")
    assert police.own(inner, "health").content == SAID


def test_what_was_said_to_one_cannot_be_sealed_again_for_another(three: Three) -> None:
    police, health, other = (three.seal(one) for one in three.everyone)
    said = health.open(police.seal(police.sign(word(), SAID), "health"), "police")
    with pytest.raises(Unopenable, match="to the other"):
        other.open(health.seal(said.raw, "other"), "health")
    # Nor may its lane be pretended.
    with pytest.raises(Unopenable):
        other.open(health.seal(said.raw, "other"), "police")


def test_an_envelope_laid_in_anothers_lane_is_unopenable(three: Three) -> None:
    police, health = three.seal(three.police), three.seal(three.health)
    with pytest.raises(Unopenable, match="by another"):
        health.open(police.seal(police.sign(word(), SAID), "health"), "other")


def test_only_a_key_of_the_speakers_directory_signs_for_it(three: Three) -> None:
    health, other = three.seal(three.health), three.seal(three.other)
    forged = other.sign(word(sender="police"), SAID)
    # Whoever forges seals as itself or, having broken into the broker, knows the recipient's public key as everybody does.
    for lane in ("other", "police"):
        with pytest.raises(Unopenable):
            health.open(other.seal(forged, "health"), lane)


def test_ones_own_word_is_known_again_when_it_is_given_back(three: Three) -> None:
    police, health = three.seal(three.police), three.seal(three.health)
    inner = police.sign(word(), SAID)
    assert police.open(health.seal(inner, "police"), "health").raw == inner
    with pytest.raises(Unopenable):
        police.open(three.seal(three.other).seal(inner, "police"), "other")


def test_an_unknown_suite_and_an_unsigned_form_are_named(three: Three) -> None:
    police, health = three.seal(three.police), three.seal(three.health)
    _, id_, body = unwrap(police.seal(police.sign(word(), SAID), "health"))
    with pytest.raises(Unopenable, match="suite is not known"):
        health.open(wrap(99, id_, body), "police")
    with pytest.raises(Unopenable, match="not that of its key"):
        health.open(wrap(HYBRID, id_, body), "police")
    inner = bytearray(police.sign(word(), SAID))
    inner[4] = 0  # as long as before, and said to hold no signature
    with pytest.raises(Unopenable):
        health.open(police.seal(bytes(inner), "health"), "police")


# --- keys that change -------------------------------------------------------------------------------------------------


def test_a_new_key_is_used_at_once_and_what_lay_under_the_old_ones_is_opened_still() -> None:
    three = Three()
    before = three.seal(three.police)
    old = before.seal(before.sign(word(1), SAID), "health")
    signer, sealed_to = three.police.new_signer(), three.health.new_seal(HYBRID)
    police, health = three.seal(three.police), three.seal(three.health)
    new = police.seal(police.sign(word(2), SAID), "health")
    assert unwrap(new)[:2] == (HYBRID, sealed_to)
    assert health.open(new, "police").header.signer == signer
    assert health.open(old, "police").content == SAID


def test_a_revoked_key_stands_up_to_its_place_in_the_log_and_for_no_statement() -> None:
    three = Three()
    as_it_was = three.police.as_read_by("police")  # the thief has the keys of that day
    peers = {one.agency: one.directory for one in (three.health, three.other)}
    thief = KeyedSeal(Keyring(as_it_was, peers, three.police.signing[:], three.police.opening))
    stolen = three.police.directory.newest(Use.SIGN)
    assert stolen is not None
    three.police.new_signer()
    three.police.revoke(stolen, {"health": {LIFE: 5}})
    health = three.seal(three.health)
    assert health.open(thief.seal(thief.sign(word(5), SAID), "health"), "police").content == SAID
    statement = Header(kind=Kind.STATEMENT, sender="police", recipient="health", incarnation=LIFE)
    in_a_slot = statement.model_copy(update={"seq": 1})  # a statement has none, whatever it says
    for refused in (word(6), word(1, life=uuid4()), statement, in_a_slot):
        with pytest.raises(Unopenable, match="revoked"):
            health.open(thief.seal(thief.sign(refused, SAID), "health"), "police")
    honest = three.seal(three.police)
    assert health.open(honest.seal(honest.sign(word(6), SAID), "health"), "police").header.signer != stolen
    # The agency knows of itself how far its own words go under it.
    assert honest.own(thief.sign(word(5), SAID), "health").content == SAID
    with pytest.raises(Unopenable, match="revoked"):
        honest.own(thief.sign(word(6), SAID), "health")
    # What its own relay numbered under it a moment too late is signed again on its way out, under the same leaf.
    late = health.open(honest.seal(thief.sign(word(6), SAID), "health"), "police")
    assert (late.header.signer != stolen, late.content, late.header.salt) == (True, SAID, word().salt)
    with pytest.raises(Unopenable, match="revoked"):  # nothing was said to a third under it
        three.seal(three.other).open(thief.seal(thief.sign(word(1, recipient="other"), SAID), "other"), "police")


def test_a_stations_key_speaks_for_nobody_yet() -> None:
    three = Three()
    station = Ed25519PrivateKey.generate()
    three.police.signing.append(station)
    public = station.public_key().public_bytes_raw()
    three.police.write(Key(use=Use.SIGN, suite=ED25519_SUITE, public=public, station="masaiti_vsu"))
    police, health = three.seal(three.police), three.seal(three.health)
    header = word().model_copy(update={"signer": key_id(public)})
    said = unsigned(header, SAID, SIGNATURE_BYTES)
    with pytest.raises(Unopenable, match="signer is not known"):
        health.open(police.seal(said + station.sign(SIGNED_AS + said), "health"), "police")


def test_what_a_peer_publishes_that_is_no_key_shuts_its_own_line_and_breaks_nothing() -> None:
    """Whatever else is raised would be tried for ever, and hold up everybody's events behind it."""
    three = Three()
    public = b"x" * 33
    three.police.write(Key(use=Use.SIGN, suite=ED25519_SUITE, public=public))
    police, health = three.seal(three.police), three.seal(three.health)
    said = unsigned(word().model_copy(update={"signer": key_id(public)}), SAID, SIGNATURE_BYTES)
    with pytest.raises(Unopenable, match="signer's key is none"):
        health.open(police.seal(said + bytes(SIGNATURE_BYTES), "health"), "police")
    for suite, wrong in ((X25519, public), (X25519, bytes(32)), (HYBRID, public)):
        three.police.write(Key(use=Use.SEAL, suite=suite, public=wrong))
        health = three.seal(three.health)
        with pytest.raises(KeyAway, match="police has published to seal to is no key"):
            health.seal(health.sign(word(1, "health", "police"), SAID), "police")


def test_an_agency_without_a_key_that_stands_says_nothing() -> None:
    three = Three()
    only = three.police.directory.newest(Use.SIGN)
    assert only is not None
    three.police.revoke(only, {})
    with pytest.raises(KeyAway, match="no signing key"):
        three.seal(three.police).sign(word(), SAID)


# --- directories ------------------------------------------------------------------------------------------------------


def test_lines_for_one_peer_are_read_by_it_and_kept_in_their_place_by_others() -> None:
    holder = Holder("police")
    key = holder.directory.newest(Use.SIGN)
    assert key is not None
    holder.new_signer()
    holder.revoke(key, {"health": {LIFE: 9}, "other": {LIFE: 2}})
    health, other = holder.as_read_by("health"), holder.as_read_by("other")
    assert health.size == other.size == holder.directory.size
    assert [health.reaches(key, "health", LIFE, seq) for seq in (9, 10)] == [True, False]
    assert [other.reaches(key, "other", LIFE, seq) for seq in (2, 3)] == [True, False]
    assert [one.signed is None for one in other.lines].count(True) == 1
    assert not other.reaches(key, "health", LIFE, 1)  # what it was not told, it does not know


def test_a_directory_takes_only_its_roots_lines_in_their_order() -> None:
    holder, stranger = Holder("police"), Holder("police")
    lines = holder.directory.told_to("health", 1).lines
    read = Directory("police", holder.directory.root)
    for wrong in ((lines[1],), (stranger.directory.lines[0],)):
        with pytest.raises(BadDirectory):
            read.take(Lines(agency="police", first=1, lines=wrong))
    with pytest.raises(BadDirectory, match="follow"):
        read.take(Lines(agency="police", first=2, lines=lines[1:]))
    with pytest.raises(BadDirectory):
        read.take(Lines(agency="health", first=1, lines=lines))
    assert read.size == 0
    assert read.take(Lines(agency="police", first=1, lines=lines)) == 2
    assert read.take(Lines(agency="police", first=1, lines=lines)) == 0  # told again


def test_a_line_that_was_left_out_cannot_be_passed_over() -> None:
    holder = Holder("police")
    holder.write(revokes=Revocation(key=holder.directory.newest(Use.SIGN) or b""))
    holder.new_signer()
    lines = holder.directory.told_to("health", 1).lines
    read = Directory("police", holder.directory.root)
    with pytest.raises(BadDirectory):
        read.take(Lines(agency="police", first=1, lines=(*lines[:2], lines[3])))
    assert read.size == 0  # nor does what came before the break stand
    read.take(Lines(agency="police", first=1, lines=lines[:2]))
    with pytest.raises(BadDirectory):  # nor with another's digest in its place
        read.take(Lines(agency="police", first=3, lines=(Told(digest=b"d" * 32), lines[3])))
    assert read.take(Lines(agency="police", first=3, lines=lines[2:])) == 2


def test_a_digest_stands_only_under_a_signed_line_that_follows_on_it() -> None:
    """A letter of lines needs no signature, so whoever holds the broker can make up one whose lines are digests."""
    holder = Holder("police")
    stolen = holder.directory.newest(Use.SIGN)
    assert stolen is not None
    read = holder.as_read_by("health")
    assert read.take(Lines(agency="police", first=3, lines=(Told(digest=b"d" * 32),))) == 0
    holder.new_signer()
    holder.revoke(stolen, {"health": {LIFE: 5}})
    told = holder.directory.told_to("health", 3)
    hidden = (told.lines[0], *(Told(digest=digest_of(one.signed or b"")) for one in told.lines[1:]))
    assert read.take(Lines(agency="police", first=3, lines=hidden)) == 1  # the key that was made; not that one was given up
    assert read.take(told) == 2
    assert (read.is_revoked(stolen), read.reaches(stolen, "health", LIFE, 5)) == (True, True)


def test_a_line_that_was_told_as_its_digest_is_learnt_when_it_comes_in_full() -> None:
    holder = Holder("police")
    stolen = holder.directory.newest(Use.SIGN)
    assert stolen is not None
    holder.revoke(stolen, {"health": {LIFE: 5}})
    holder.new_signer()
    told = holder.directory.told_to("health", 1)
    hidden = [Told(digest=digest_of(one.signed or b"")) if number in (3, 4) else one for number, one in enumerate(told.lines, 1)]
    read = Directory("police", holder.directory.root)
    assert (read.take(Lines(agency="police", first=1, lines=tuple(hidden))), read.is_revoked(stolen)) == (5, False)
    assert read.with_lines(told) == list(told.lines)
    assert (read.take(told), read.is_revoked(stolen), read.lines) == (0, True, list(told.lines))
    assert [read.reaches(stolen, "health", LIFE, seq) for seq in (5, 6)] == [True, False]


def test_a_whole_directory_is_read_though_a_piece_of_it_ends_in_a_digest() -> None:
    holder = Holder("police")
    while holder.directory.size < TOLD_MAX + 2:
        holder.new_signer()
    full = holder.directory.lines
    lines = [*full[: TOLD_MAX - 1], Told(digest=digest_of(full[TOLD_MAX - 1].signed or b"")), *full[TOLD_MAX:]]
    read = Directory("police", holder.directory.root)
    read.take_whole(lines)
    assert read.lines == lines
    with pytest.raises(BadDirectory, match="ends in what nobody has signed"):
        Directory("police", holder.directory.root).take_whole(lines[:TOLD_MAX])


# --- a key that is given up before many peers -------------------------------------------------------------------------

MANY = [0, 1, TOLD_MAX - 1, TOLD_MAX, TOLD_MAX + 1, 2 * TOLD_MAX + 5]


def peers_of(count: int) -> list[str]:
    return [f"peer_{number:02}" for number in range(count)]


def place_of(peer: str) -> int:
    """How far the stream to a peer goes, another for each."""
    return int(peer[-2:]) + 3


def given_up_before(count: int) -> tuple[Holder, bytes]:
    """Police whose first key was replaced and given up, as a keeper does both; and that key."""
    holder = Holder("police")
    old = holder.directory.newest(Use.SIGN)
    assert old is not None
    holder.new_signer()
    holder.revoke(old, {peer: {LIFE: place_of(peer)} for peer in peers_of(count)})
    holder.new_signer()
    return holder, old


def as_once_written(count: int, *, by_a_station: bool = False) -> tuple[Holder, bytes]:
    """The same as it was written before: by the keeper with a line for all after each 39, by a station with none between."""
    holder = Holder("police")
    old = holder.directory.newest(Use.SIGN)
    assert old is not None
    holder.new_signer()
    for number, peer in enumerate(peers_of(count), 1):
        holder.write(revokes=Revocation(key=old, cuts=(Cut(incarnation=LIFE, upto=place_of(peer)),)), to=peer)
        if number % (TOLD_MAX - 1) == 0 and not by_a_station:
            holder.write(revokes=Revocation(key=old))
    holder.write(revokes=Revocation(key=old))
    holder.new_signer()
    return holder, old


def letters_to(holder: Holder, read: Directory, reader: str, first: int) -> Iterator[Lines]:
    """Letters one after another as an agency writes them, until its reader knows everything; each is taken here."""
    while first <= holder.directory.size:
        told = holder.directory.told_to(reader, first)
        yield told
        assert read.take(told) == read.size + 1 - first, "the next letter follows on what was taken of this one"
        assert read.size >= first, "a letter tells something"
        first = read.size + 1


def told_in_full_or_not(holder: Holder, reader: str) -> list[Told]:
    """The whole directory as one reader is told it."""
    lines = list[Told]()
    while len(lines) < holder.directory.size:
        lines += holder.directory.told_to(reader, len(lines) + 1).lines
    return lines


def check_says_no_more(read: Directory, reader: str, old: bytes) -> bool:
    """Whatever was read: nothing is held against a word but by the reader's own place. Whether it may be yet."""
    held = read.given_up(reader)
    assert held in ({}, {old: {LIFE: place_of(reader)}})
    if read.is_revoked(old):  # from the first line for all on nothing new comes in above the place, be it known yet or not
        assert not read.reaches(old, reader, LIFE, place_of(reader) + 1)
    return bool(held)


@pytest.mark.parametrize("count", MANY)
def test_a_key_is_given_up_before_any_number_of_peers_by_letters_alone(count: int) -> None:
    holder, old = given_up_before(count)
    for reader in peers_of(count):
        for first in (1, 3):  # as at a start, and to one who had the directory's file
            read = Directory("police", holder.directory.root)
            read.take(holder.directory.told_to(reader, 1)) if first == 1 else read.take_whole(holder.directory.lines[:2])
            letters = 0
            for told in letters_to(holder, read, reader, read.size + 1):
                check_says_no_more(read, reader, old)
                assert told.lines[-1].signed is not None, "digests at the end are told in vain"
                letters += 1
            assert letters <= 2 + count // (TOLD_MAX - 1)
            assert (read.size, check_says_no_more(read, reader, old)) == (holder.directory.size, True)
            assert [read.reaches(old, reader, LIFE, place_of(reader) + more) for more in (0, 1)] == [True, False]
            assert [one.signed is None for one in read.lines].count(True) == count - 1, "another's place is told to nobody else"


@pytest.mark.parametrize("count", MANY)
def test_a_key_stops_in_the_first_letter_wherever_the_readers_place_comes(count: int) -> None:
    """Whoever has stolen it says nothing more from there on, though the place that is the reader's may be letters away."""
    holder, old = given_up_before(count)
    for reader in (*peers_of(count)[-1:], "stranger_99"):
        read = Directory("police", holder.directory.root)
        read.take_whole(holder.directory.lines[:3])  # it knows all that came before
        read.take(holder.directory.told_to(reader, 4))
        assert read.is_revoked(old)
        assert not read.reaches(old, reader, LIFE, place_of(reader) + 1)
        assert read.given_up(reader) == {} if count > TOLD_MAX - 1 or reader == "stranger_99" else {old: {LIFE: place_of(reader)}}


WRITTEN: dict[str, Callable[[int], tuple[Holder, bytes]]] = {
    "now": given_up_before,
    "by the keeper once": as_once_written,
    "by a station once": partial(as_once_written, by_a_station=True),
}


@pytest.mark.parametrize("written", WRITTEN)
@pytest.mark.parametrize("count", MANY)
def test_lines_that_are_cut_short_changed_about_or_hidden_say_no_more_than_was_signed(count: int, written: str) -> None:
    holder, old = WRITTEN[written](count)
    peers = peers_of(count)
    for reader in {*peers[:1], *peers[TOLD_MAX - 2 : TOLD_MAX + 1], *peers[-1:]}:
        told = told_in_full_or_not(holder, reader)
        (own,) = [n for n, one in enumerate(told) if f'"to":"{reader}"'.encode() in (one.signed or b"")]
        for upto in range(len(told) + 1):
            read = Directory("police", holder.directory.root)
            take_file(read, told[:upto])
            assert check_says_no_more(read, reader, old) <= (upto > own)
        assert check_says_no_more(read, reader, old)
        read = Directory("police", holder.directory.root)
        take_file(read, [Told(digest=digest_of(one.signed or b"")) if n == own else one for n, one in enumerate(told)])
        assert (read.is_revoked(old), check_says_no_more(read, reader, old)) == (True, False)
        read.take(Lines(agency="police", first=own + 1, lines=(told[own],)))  # the agency tells its lines from the first on
        assert check_says_no_more(read, reader, old)
        for wrong in ([*told[:own], told[own + 1], told[own], *told[own + 2 :]], [*told[:own], *told[own + 1 :]]):
            read = Directory("police", holder.directory.root)
            take_file(read, wrong)
            assert (read.size, check_says_no_more(read, reader, old)) == (0, False)


def take_file(read: Directory, lines: Sequence[Told]) -> None:
    """Takes lines as a file or a bundle holds them, whole or not."""
    with contextlib.suppress(BadDirectory):
        read.take_whole(lines)


@pytest.mark.parametrize("count", MANY)
def test_a_directory_of_before_is_read_from_its_file_and_by_the_keepers_letters(count: int) -> None:
    for by_a_station in (False, True):
        holder, old = as_once_written(count, by_a_station=by_a_station)
        for reader in peers_of(count)[-2:]:
            read = Directory("police", holder.directory.root)
            read.take_whole(holder.directory.lines)
            assert check_says_no_more(read, reader, old)
            again = Directory("police", holder.directory.root)
            again.catch_up(read)
            assert again.lines == read.lines
            if not by_a_station:
                read = Directory("police", holder.directory.root)
                for _ in letters_to(holder, read, reader, 1):
                    check_says_no_more(read, reader, old)
                assert (read.size, check_says_no_more(read, reader, old)) == (holder.directory.size, True)
