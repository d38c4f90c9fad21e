"""Files under a passphrase: opened by it and by nothing else, and left alone where there is none."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from services.locks import LOCK, PASSPHRASE, _unlocked, lock_of
from shared.kit import lock
from shared.kit.keystore import KeystoreAway, WrappingKeys
from shared.kit.lock import OPEN, Locked, make_lock, unlock

WORDS = "four synthetic words here"
CHEAP = {"time": 1, "memory_kib": 64, "lanes": 1}


def test_what_is_closed_opens_under_the_same_passphrase_alone() -> None:
    kept, made = make_lock(WORDS, CHEAP)
    closed = made.close(b"a key")
    assert b"a key" not in closed
    assert unlock(kept, WORDS).open(closed) == b"a key"
    with pytest.raises(Locked, match="not the passphrase"):
        unlock(kept, WORDS + " ")
    with pytest.raises(Locked, match="not known"):
        OPEN.open(closed)
    _, another = make_lock(WORDS, CHEAP)  # another salt
    with pytest.raises(Locked, match="damaged"):
        another.open(closed)
    for place in range(len(lock.MARK), len(closed)):
        changed = bytearray(closed)
        changed[place] ^= 1
        with pytest.raises(Locked):
            made.open(bytes(changed))


def test_what_was_never_closed_is_left_as_it_is() -> None:
    _, made = make_lock(WORDS, CHEAP)
    assert made.open(b'{"plain": 1}') == b'{"plain": 1}'
    assert OPEN.close(b"plain") == b"plain"


def test_a_short_passphrase_and_a_file_that_asks_for_too_much_are_refused() -> None:
    with pytest.raises(Locked, match="16 or more"):
        make_lock("short", CHEAP)
    kept, _ = make_lock(WORDS, CHEAP)
    said = json.loads(kept)
    wrongs: list[Any] = [{**said, "cost": {**CHEAP, "memory_kib": 2**40}}, {**said, "salt": 7}, {}, []]
    for wrong in wrongs:
        with pytest.raises(Locked, match="damaged"):
            unlock(json.dumps(wrong).encode(), WORDS)


def test_guessing_costs_what_rfc_9106_asks_for() -> None:
    assert lock.COST["memory_kib"] >= 64 * 1024
    assert lock.COST["time"] >= 3


def test_a_home_with_a_lock_asks_for_its_passphrase(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert lock_of(tmp_path) is OPEN
    kept, made = make_lock(WORDS, CHEAP)
    (tmp_path / LOCK).write_bytes(kept)
    monkeypatch.delenv(PASSPHRASE, raising=False)
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(Locked, match="are locked"):
        lock_of(tmp_path)
    monkeypatch.setenv(PASSPHRASE, WORDS)
    _unlocked.cache_clear()
    assert lock_of(tmp_path) == made
    folder = tmp_path / "wrapping"
    id_ = WrappingKeys(folder, made).make(datetime(2026, 1, 5, tzinfo=UTC))
    assert list(WrappingKeys(folder, made).read()) == [id_]
    assert b"key" not in next(folder.glob("*.json")).read_bytes()
    with pytest.raises((Locked, KeystoreAway)):
        WrappingKeys(folder).read()
    _unlocked.cache_clear()
