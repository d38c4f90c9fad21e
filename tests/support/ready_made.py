"""Agencies' processes that need not read the program first: one process has read it, and each start is a fork of that one.

A start takes a tenth of the processor time of `python -m services.cli …`, which tests still type where starting is what they are
about. What runs is the same `main` with its own arguments, environment, log and exit code, and it is killed like any other.
"""

import asyncio
import atexit
import contextlib
import faulthandler
import gc
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

READ = ("services.serve", "services.runtime", "services.police.main", "services.health.main", "services.social_welfare.main",
        "services.partner.main", "services.justice.main")  # fmt: skip
ANSWER_BYTES_MAX = 64 * 1024
STACKS = signal.SIGUSR1  # a process that was started here tells in its log what it waits for, and at the end:
ALL_TOLD = "these are all its tasks"


class Child:
    """A forked process, asked and signalled as one of `subprocess.Popen`."""

    def __init__(self, source: "Source", pid: int) -> None:
        self._source, self.pid = source, pid
        self._handle = os.pidfd_open(pid)
        self._end = select.poll()
        self._end.register(self._handle, select.POLLIN)
        self._turn = threading.Lock()
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Its exit code, minus the signal that killed it, or None while it runs."""
        with self._turn:
            if self.returncode is None and self._end.poll(0):
                self.returncode = self._source.ask({"reap": self.pid})["code"]
                os.close(self._handle)
            return self.returncode

    def wait(self, timeout: float) -> int:
        """Waits for its end; raises subprocess.TimeoutExpired."""
        if self.poll() is None and not self._end.poll(timeout * 1000):
            raise subprocess.TimeoutExpired(str(self.pid), timeout)
        code = self.poll()
        assert code is not None
        return code

    def send_signal(self, number: int) -> None:
        """Nothing happens where it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """SIGKILL."""
        self.send_signal(signal.SIGKILL)


class Source:
    """The process that has read everything; it ends when its owner does."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._line, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with other:
            command = [sys.executable, "-m", "tests.support.ready_made", str(other.fileno())]
            self._process = subprocess.Popen(command, pass_fds=[other.fileno()])
        atexit.register(self.close)

    def start(self, arguments: Sequence[str], environment: Mapping[str, str], log: Path) -> Child:
        """`refnet` with these arguments, its output at the end of a log."""
        log.touch()  # whoever looks at once finds it empty
        asked = {"arguments": list(arguments), "environment": dict(environment), "log": str(log), "folder": str(Path.cwd())}
        return Child(self, self.ask(asked)["pid"])

    def ask(self, what: Mapping[str, Any]) -> Any:
        """One question and its answer."""
        with self._turn:
            self._line.send(json.dumps(what).encode())
            answer = self._line.recv(ANSWER_BYTES_MAX)
        assert answer, "the process that agencies are made of has ended"
        return json.loads(answer)

    def close(self) -> None:
        """Ends it; whoever it started goes on."""
        self._line.close()
        self._process.wait(10)


@cache
def source() -> Source:
    """This process's own."""
    return Source()


def _answer(line: socket.socket) -> dict[str, Any] | None:
    """Serves until the owner is gone (None), or until this is a child: what it shall be."""
    while asked := line.recv(ANSWER_BYTES_MAX):
        what = json.loads(asked)
        if "reap" in what:
            _, status = os.waitpid(what["reap"], 0)
            line.send(json.dumps({"code": os.waitstatus_to_exitcode(status)}).encode())
            continue
        pid = os.fork()
        if pid == 0:
            return dict(what)
        line.send(json.dumps({"pid": pid}).encode())
    return None


def _be(what: Mapping[str, Any]) -> NoReturn:
    import uuid_utils

    from services.cli import main

    uuid_utils.reseed_rng()  # or brothers would give the same ids
    os.environ.clear()
    os.environ.update(what["environment"])
    os.chdir(what["folder"])
    with Path(what["log"]).open("ab") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    signal.signal(STACKS, _tell_what_waits)
    faulthandler.register(STACKS, chain=True)  # every thread, also where Python code does not get to run
    sys.argv = ["refnet", *what["arguments"]]
    main()
    sys.exit(0)


def _tell_what_waits(_number: int, _frame: FrameType | None) -> None:
    """Where each task of the process waits, at the end of its log."""
    with contextlib.suppress(RuntimeError):  # no loop runs
        for task in asyncio.all_tasks():
            print("task", task.get_name(), *_awaited(task.get_coro()), sep="\n  ", file=sys.stderr)
    print(ALL_TOLD, file=sys.stderr, flush=True)


def _awaited(waiting: Any) -> Iterator[str]:
    """The line of each function on the way from a task down to what it waits for."""
    while waiting is not None:
        frame = getattr(waiting, "cr_frame", None) or getattr(waiting, "gi_frame", None)
        yield f"{frame.f_code.co_filename}:{frame.f_lineno} {frame.f_code.co_name}" if frame else repr(waiting)[:200]
        waiting = getattr(waiting, "cr_await", None) or getattr(waiting, "gi_yieldfrom", None)


def _serve(number: int) -> None:
    from importlib import import_module

    for name in READ:
        import_module(name)
    gc.freeze()  # what all have in common is not looked through by each
    with socket.socket(fileno=number) as line:
        what = _answer(line)
    if what is not None:
        _be(what)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        _serve(int(sys.argv[1]))
