"""The keys of what lies sealed: on the disk before anything is sealed, opened for one column alone, and destroyed for good."""

import sqlite3
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from shared.kit import keystore
from shared.kit.errors import RefnetError
from shared.kit.ids import new_id
from shared.kit.keystore import KeyDestroyed, Keystore, KeystoreAway, ValueNotOpened, WrappingKeys

NOW = datetime(2026, 1, 5, tzinfo=UTC)
LABEL = "casework_notes.text"


@pytest.fixture
def wrapping(tmp_path: Path) -> WrappingKeys:
    made = WrappingKeys(tmp_path / "wrapping")
    made.make(NOW)
    return made


@pytest.fixture
def keys(tmp_path: Path, wrapping: WrappingKeys) -> Keystore:
    made = Keystore(tmp_path / "keys.db", wrapping.read)
    made.make()
    return made


def another(keys: Keystore, wrapping: WrappingKeys) -> Keystore:
    """As another process has it."""
    return Keystore(keys.file, wrapping.read)


def test_what_is_sealed_opens_in_its_column_and_in_no_other(keys: Keystore) -> None:
    sealed = keys.seal(new_id(), LABEL, b"words")
    assert b"words" not in sealed
    assert keys.open(LABEL, sealed) == b"words"
    with pytest.raises(KeystoreAway, match="changed or moved"):
        keys.open("casework_cases.needs", sealed)


def test_what_is_bound_opens_for_what_it_is_about_and_for_nothing_else(keys: Keystore) -> None:
    one, other = new_id(), new_id()
    sealed = keys.seal(one, LABEL, b"words", one)
    assert keys.open(LABEL, sealed, one) == b"words"
    with pytest.raises(ValueNotOpened, match="changed or moved"):
        keys.open(LABEL, sealed, other)
    with pytest.raises(ValueNotOpened, match="not bound"):
        keys.open(LABEL, sealed)
    before = keys.seal(one, LABEL, b"words")
    with pytest.raises(ValueNotOpened, match="not bound"):
        keys.open(LABEL, before, one)
    assert keys.open(LABEL, keys.bound(LABEL, before, one), one) == b"words"
    keys.destroy([one], NOW)
    for held in (sealed, before):
        with pytest.raises(KeyDestroyed):  # whatever it was bound to
            keys.open(LABEL, held, other)


def test_every_bit_of_a_sealed_value_counts(keys: Keystore) -> None:
    sealed = keys.seal(new_id(), LABEL, b"words")
    for place in range(len(sealed) * 8):
        bent = bytearray(sealed)
        bent[place // 8] ^= 1 << place % 8
        with pytest.raises(KeystoreAway):
            keys.open(LABEL, bytes(bent))


def test_the_same_words_never_look_alike_and_the_same_number_is_found(keys: Keystore) -> None:
    name = new_id()
    assert len({keys.seal(name, LABEL, b"yes") for _ in range(100)}) == 100
    assert keys.index(LABEL, "CB/1") == keys.index(LABEL, "CB/1")
    assert keys.index(LABEL, "CB/1") not in {keys.index(LABEL, "CB/2"), keys.index("another.column", "CB/1")}


def test_another_process_opens_what_this_one_sealed_at_once(keys: Keystore, wrapping: WrappingKeys) -> None:
    name = new_id()
    sealed = keys.seal(name, LABEL, b"words")
    other = another(keys, wrapping)
    assert other.open(LABEL, sealed) == b"words"
    assert keys.open(LABEL, other.seal(name, LABEL, b"more")) == b"more"


def test_processes_that_race_for_a_name_get_one_key(keys: Keystore, tmp_path: Path) -> None:
    names = [str(new_id()) for _ in range(20)]
    program = (
        "import sys, pathlib, uuid; from shared.kit.keystore import *;"
        "w = WrappingKeys(pathlib.Path(sys.argv[1]) / 'wrapping'); k = Keystore(pathlib.Path(sys.argv[1]) / 'keys.db', w.read);"
        "print(*[k.seal(uuid.UUID(n), 'a.b', b'x')[1:17].hex() for n in sys.argv[2:]])"
    )
    command = [sys.executable, "-c", program, str(tmp_path), *names]
    racing = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    said = {one.communicate(timeout=60)[0] for one in racing}
    assert len(said) == 1
    assert len(said.pop().split()) == 20


def test_all_names_of_a_group_share_the_key_that_any_of_them_had(keys: Keystore) -> None:
    circle, case, referral = new_id(), new_id(), new_id()
    first = keys.seal(circle, LABEL, b"x")[1:17]
    keys.give([[case, circle], [case, referral]])
    assert {keys.seal(name, LABEL, b"x")[1:17] for name in (case, circle, referral)} == {first}


def test_what_could_not_be_given_is_not_taken_for_given(
    keys: Keystore, wrapping: WrappingKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    names, wrap, made = [new_id(), new_id()], Keystore._wrap, list[bytes]()

    def fails_at_the_second(self: Keystore, known: dict[bytes, bytes], id_: bytes, key: bytes) -> bytes:
        made.append(id_)
        if len(made) == 2:
            raise KeystoreAway("The disk is full.")
        return wrap(self, known, id_, key)

    with monkeypatch.context() as patch:
        patch.setattr(Keystore, "_wrap", fails_at_the_second)
        with pytest.raises(KeystoreAway):
            keys.give([[name] for name in names])
    sealed = [keys.seal(name, LABEL, b"words") for name in names]
    assert [another(keys, wrapping).open(LABEL, one) for one in sealed] == [b"words", b"words"]


def test_what_another_process_destroys_is_not_sealed_under_because_it_was_just_given(
    keys: Keystore, wrapping: WrappingKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keystore, "HELD_S", 0.0)
    case = new_id()
    keys.give([[case]])
    assert another(keys, wrapping).destroy([case], NOW) == 1
    with pytest.raises(KeyDestroyed):
        keys.seal(case, LABEL, b"late")


def test_what_is_destroyed_is_gone_from_the_file_for_every_process_and_is_never_made_again(
    keys: Keystore, wrapping: WrappingKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    case, other_case, unheard = new_id(), new_id(), new_id()
    sealed, kept = keys.seal(case, LABEL, b"words"), keys.seal(other_case, LABEL, b"words")
    assert keys.file is not None
    with sqlite3.connect(keys.file) as looking:
        (wrapped,) = looking.execute("SELECT wrapped FROM keys WHERE id = ?", (sealed[1:17],)).fetchone()
    monkeypatch.setattr(keystore, "HELD_S", 0.0)
    other = another(keys, wrapping)
    assert other.open(LABEL, sealed) == b"words"
    assert keys.destroy([case, unheard], NOW) == 2
    assert keys.destroy([case], NOW) == 0
    for one in (keys, other):
        with pytest.raises(KeyDestroyed):
            one.open(LABEL, sealed)
        for name in (case, unheard):  # what comes late is not kept under a new key
            with pytest.raises(KeyDestroyed):
                one.seal(name, LABEL, b"late")
        assert one.open(LABEL, kept) == b"words"
    assert wrapped not in keys.file.read_bytes()


def test_a_backup_gives_back_what_is_lacking_and_never_what_was_destroyed(
    keys: Keystore, wrapping: WrappingKeys, tmp_path: Path
) -> None:
    kept, gone = keys.seal(new_id(), LABEL, b"kept"), keys.seal(case := new_id(), LABEL, b"gone")
    assert keys.back_up(tmp_path / "copy") == 2
    late = keys.seal(new_id(), LABEL, b"late")
    keys.destroy([case], NOW)
    keys.take(tmp_path / "copy")
    assert (keys.open(LABEL, kept), keys.open(LABEL, late)) == (b"kept", b"late")
    with pytest.raises(KeyDestroyed):
        keys.open(LABEL, gone)
    elsewhere = Keystore(tmp_path / "new" / "keys.db", wrapping.read)
    elsewhere.take(tmp_path / "copy")
    assert (elsewhere.id, elsewhere.open(LABEL, kept)) == (keys.id, b"kept")
    with pytest.raises(KeystoreAway, match="lacks a key"):
        elsewhere.open(LABEL, late)


def test_the_backup_of_another_keystore_is_not_taken(keys: Keystore, wrapping: WrappingKeys, tmp_path: Path) -> None:
    keys.seal(new_id(), LABEL, b"words")
    other = Keystore(tmp_path / "other.db", wrapping.read)
    other.make()
    other.back_up(tmp_path / "copy")
    with pytest.raises(RefnetError, match="another keystore"):
        keys.take(tmp_path / "copy")


def test_a_new_wrapping_key_opens_all_and_the_old_one_nothing(keys: Keystore, wrapping: WrappingKeys, tmp_path: Path) -> None:
    sealed = [keys.seal(new_id(), LABEL, b"words") for _ in range(30)]
    keys.back_up(tmp_path / "copy")
    (old,) = wrapping.read()
    new = wrapping.make(NOW.replace(day=6))
    assert keys.rewrap() == 30
    assert keys.rewrap() == 0
    wrapping.destroy(old)
    assert list(wrapping.read()) == [new]
    other = another(keys, wrapping)
    assert {other.open(LABEL, one) for one in sealed} == {b"words"}
    elsewhere = Keystore(tmp_path / "new.db", wrapping.read)
    elsewhere.take(tmp_path / "copy")
    with pytest.raises(KeystoreAway, match="wrapping key"):
        elsewhere.open(LABEL, sealed[0])


def test_one_that_is_missing_is_said_and_not_made_anew(keys: Keystore, wrapping: WrappingKeys) -> None:
    sealed = keys.seal(new_id(), LABEL, b"words")
    assert keys.file is not None
    keys.file.unlink()
    with pytest.raises(KeystoreAway, match="There is no keystore at"):
        another(keys, wrapping).open(LABEL, sealed)
    with pytest.raises(KeystoreAway, match="There is no keystore at"):
        keys.seal(new_id(), LABEL, b"x")
    assert not keys.file.exists()


def test_a_key_is_whole_or_not_there_when_the_disk_is_full(keys: Keystore, wrapping: WrappingKeys) -> None:
    """What cannot be kept is not sealed with: the caller's transaction ends with it."""

    def refuse() -> dict[bytes, bytes]:
        raise OSError(28, "No space left on device")

    full, name = Keystore(keys.file, refuse), new_id()
    with pytest.raises(KeystoreAway):
        full.seal(name, LABEL, b"x")
    assert another(keys, wrapping).seal(name, LABEL, b"x")


def test_what_is_held_in_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keystore, "KEYS_HELD_MAX", 5)
    monkeypatch.setattr(keystore, "NAMES_HELD_MAX", 5)
    keys, names = Keystore.in_memory(), [UUID(int=n) for n in range(100, 150)]
    sealed = [keys.seal(name, LABEL, name.bytes) for name in names]
    assert (len(keys._keys), len(keys._names)) == (5, 5)
    assert [keys.open(LABEL, one) for one in sealed] == [name.bytes for name in names]


def test_the_newest_wrapping_key_is_the_one_that_was_made_last_also_where_the_clock_was_set_back(
    keys: Keystore, wrapping: WrappingKeys
) -> None:
    keys.seal(new_id(), LABEL, b"words")
    for now in (NOW, NOW - timedelta(days=400)):  # at the same moment, and a year before
        made = wrapping.make(now)
        assert list(wrapping.read())[-1] == made
        keys.rewrap()
        assert keys.wrapped_under() == {made}


def test_a_wrapping_key_whose_destruction_was_cut_short_is_none(keys: Keystore, wrapping: WrappingKeys) -> None:
    sealed = keys.seal(new_id(), LABEL, b"words")
    (old,) = wrapping.read()
    new = wrapping.make(NOW)
    keys.rewrap()
    file = wrapping.folder / f"{old.hex()}.json"
    file.write_bytes(b" " * file.stat().st_size)  # as a power cut left it between two steps
    assert list(wrapping.read()) == [new]
    assert another(keys, wrapping).open(LABEL, sealed) == b"words"
