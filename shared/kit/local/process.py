"""Runs one server as a child: ready when it says so, stopped within a deadline, gone when its owner is gone.

A guard (a shell that waits on a pipe) ends the child when the owner dies in any way. Linux's parent-death signal is not
used: it fires when the *thread* that started the child ends, and servers are often started from a worker thread.
"""

import contextlib
import os
import pwd
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from shared.kit.local.errors import LocalServerError

TAIL_LINES_MAX = 40  # enough to hold one Java stack trace in an error
KILL_DEADLINE_S = 10  # SIGKILL is immediate; only a process stuck in the kernel takes longer

# Reads the child's pid, then blocks until the owner's end of the pipe closes. It waits a little before it removes, so
# that the child does not write into what is going away.
GUARD_SCRIPT = """
read -r pid && read -r _
if [ -n "$pid" ]; then
    kill -s "$0" -- "-$pid"
    for _ in 1 2 3 4 5 6 7 8 9 10; do kill -s 0 "$pid" || break; sleep 0.2; done
fi
for d in "$@"; do rm -rf -- "$d"; done
"""


class ServerProcess:
    """A child in its own session, so that the terminal's Ctrl-C reaches it only through its owner."""

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        *,
        ready_line: str,
        log: Path,
        env: Mapping[str, str] | None = None,
        user: str | None = None,
        orphan_signal: signal.Signals = signal.SIGKILL,
        remove_when_orphaned: Sequence[Path] = (),
    ) -> None:
        self.name = name
        self._argv = list(argv)
        self._ready_line = ready_line
        self._log = log
        self._env = env
        self._user = user
        self._orphan_signal = orphan_signal
        self._remove = [str(p) for p in remove_when_orphaned]
        self._child: subprocess.Popen[str] | None = None
        self._guard: subprocess.Popen[bytes] | None = None
        self._reader: threading.Thread | None = None
        self._ready = False
        self._settled = threading.Event()
        self.tail: deque[str] = deque(maxlen=TAIL_LINES_MAX)

    @property
    def running(self) -> bool:
        return self._child is not None and self._child.poll() is None

    @property
    def pid(self) -> int:
        if self._child is None:
            raise LocalServerError(f"{self.name} has not been started.")
        return self._child.pid

    def start(self, *, deadline_s: float) -> None:
        """Returns once the ready line was read. Raises LocalServerError, with the reason that the server gave."""
        if self.running:
            raise LocalServerError(f"{self.name} is already running.")
        self._ready = False
        self._settled.clear()
        self.tail.clear()
        self._spawn()
        in_time = self._settled.wait(deadline_s)
        if self._ready:
            return
        self.kill()
        what = "ended before it was ready" if in_time else f"was not ready within {deadline_s:g} s"
        raise LocalServerError(f"{self.name} {what}: {self.reason()} (its log: {self._log})")

    def stop(self, *, deadline_s: float, how: signal.Signals = signal.SIGTERM) -> None:
        """Asks the server to end, and makes it end once the deadline has passed."""
        if self._child is None:
            return
        if self.running:
            self._child.send_signal(how)
        try:
            self._child.wait(deadline_s)
        except subprocess.TimeoutExpired:
            self._kill_group()
        self._reap()

    def kill(self) -> None:
        """What a power cut does: SIGKILL, no clean-up."""
        if self._child is None:
            return
        self._kill_group()
        self._reap()

    def reason(self) -> str:
        """The most telling of the last lines, for people."""
        lines = [line for line in self.tail if line.strip()]
        telling = [line for line in lines if any(w in line for w in ("FATAL", "ERROR", "Exception", "rror:"))]
        return (telling or lines or ["it said nothing"])[-1].strip()

    def _spawn(self) -> None:
        self._log.parent.mkdir(parents=True, exist_ok=True)
        identity = identity_of(self._user)
        self._guard = self._start_guard()
        try:
            self._child = subprocess.Popen(
                self._argv,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                env=dict(self._env) if self._env is not None else None,
                start_new_session=True,
                user=identity.user,
                group=identity.group,
                extra_groups=identity.extra_groups,
            )
        except OSError as cause:
            self._end_guard()
            raise LocalServerError(f"{self.name} could not be started: {cause}.") from cause
        assert self._guard.stdin is not None
        assert self._child.stdout is not None
        self._guard.stdin.write(f"{self._child.pid}\n".encode())
        self._guard.stdin.flush()
        self._reader = threading.Thread(target=self._read, args=(self._child.stdout,), daemon=True)
        self._reader.start()

    def _start_guard(self) -> subprocess.Popen[bytes]:
        # subprocess closes other descriptors in children, so ours is the only writing end of this pipe.
        return subprocess.Popen(
            ["/bin/sh", "-c", GUARD_SCRIPT, self._orphan_signal.name.removeprefix("SIG"), *self._remove],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def _read(self, output: IO[str]) -> None:
        with self._log.open("a", encoding="utf-8") as log, output:
            for line in output:
                log.write(line)
                log.flush()
                self.tail.append(line)
                if not self._ready and self._ready_line in line:
                    self._ready = True
                    self._settled.set()
        self._settled.set()

    def _kill_group(self) -> None:
        # The whole group: a helper that the server had started would keep its output open.
        assert self._child is not None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._child.pid, signal.SIGKILL)

    def _reap(self) -> None:
        assert self._child is not None
        self._child.wait(KILL_DEADLINE_S)
        self._end_guard()
        if self._reader is not None:
            self._reader.join(KILL_DEADLINE_S)

    def _end_guard(self) -> None:
        # Killed, not closed: an end of its pipe would make it signal a pid that is no longer ours.
        if self._guard is None:
            return
        self._guard.kill()
        self._guard.wait(KILL_DEADLINE_S)
        if self._guard.stdin is not None:
            self._guard.stdin.close()
        self._guard = None


@dataclass(frozen=True)
class Identity:
    """subprocess options that give up root; all None where there is nothing to give up."""

    user: int | None = None
    group: int | None = None
    extra_groups: tuple[int, ...] | None = None


def identity_of(user: str | None) -> Identity:
    """Run as `user` where we are root; as ourselves otherwise."""
    if user is None or os.geteuid() != 0:
        return Identity()
    entry = pwd.getpwnam(user)
    return Identity(entry.pw_uid, entry.pw_gid, ())
