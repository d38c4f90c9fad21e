"""A child server: ready when it says so, stopped in time, and explained in a sentence when it fails."""

import signal
import time
from pathlib import Path

import pytest

from shared.kit.local.errors import LocalServerError
from shared.kit.local.process import ServerProcess

DEADLINE_S = 20


def server(script: str, log: Path) -> ServerProcess:
    return ServerProcess("The server", ["/bin/sh", "-c", script], ready_line="ready", log=log)


def test_it_is_up_once_it_says_so_and_everything_it_says_is_kept(tmp_path: Path) -> None:
    script = "trap 'echo two; exit' TERM; echo one; echo ready; while :; do sleep 0.01; done"
    process = server(script, tmp_path / "log")
    process.start(deadline_s=DEADLINE_S)
    assert process.running
    process.stop(deadline_s=DEADLINE_S)
    assert not process.running
    assert (tmp_path / "log").read_text() == "one\nready\ntwo\n"


def test_one_that_ends_early_is_explained_by_its_own_words(tmp_path: Path) -> None:
    process = server("echo 'FATAL: the disk is full'; echo bye; exit 3", tmp_path / "log")
    with pytest.raises(LocalServerError, match="^The server ended before it was ready: FATAL: the disk is full"):
        process.start(deadline_s=DEADLINE_S)


def test_one_that_never_gets_ready_is_ended(tmp_path: Path) -> None:
    process = server("exec sleep 600", tmp_path / "log")
    with pytest.raises(LocalServerError, match="was not ready within 0.2 s"):
        process.start(deadline_s=0.2)
    assert not process.running


def test_one_that_ignores_the_request_is_ended_at_the_deadline(tmp_path: Path) -> None:
    process = server("trap '' TERM; echo ready; while :; do sleep 600; done", tmp_path / "log")
    process.start(deadline_s=DEADLINE_S)
    began = time.monotonic()
    process.stop(deadline_s=0.2, how=signal.SIGTERM)
    assert time.monotonic() - began < DEADLINE_S
    assert not process.running


def test_a_program_that_does_not_exist_is_a_sentence(tmp_path: Path) -> None:
    process = ServerProcess("The server", [str(tmp_path / "nothing")], ready_line="ready", log=tmp_path / "log")
    with pytest.raises(LocalServerError, match="^The server could not be started"):
        process.start(deadline_s=DEADLINE_S)


def test_stopping_what_never_started_does_nothing(tmp_path: Path) -> None:
    process = server("exit", tmp_path / "log")
    process.stop(deadline_s=DEADLINE_S)
    process.kill()
    with pytest.raises(LocalServerError, match="has not been started"):
        _ = process.pid
