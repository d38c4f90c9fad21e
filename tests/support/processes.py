"""Agencies as real processes on a real Kafka: started, killed by their crash points, started again, and asked over HTTP."""

import asyncio
import contextlib
import fcntl
import itertools
import os
import random
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import yaml
from agencies import ROLE_OF
from coast import BESIDE
from overseen import OVERSIGHT
from ready_made import ALL_TOLD, STACKS, Child, source
from schema import sqlite_at_head
from servers import Kafka

import services.demo
from bench.children import rss_mb
from services.broker_users import user_of
from services.certificates import make_certificates
from services.provision import provision
from services.runtime import build
from services.settings import Settings, variables_of
from shared.casework.accounts.commands import add_account, make_token
from shared.casework.migrate import migrate
from shared.contracts.casework.codes import Role
from shared.exchange.rights import admit
from shared.exchange.seal import KeyedSeal
from shared.kit.db import Database
from shared.kit.ids import new_id

DEADLINE_S = 120.0  # seconds are enough when quiet; the rest is for a machine that is busy with other things
POLL_S = (0.05, 0.3)  # between looks, longer each time: every look is work for the one that is waited for
STOP_DEADLINE_S = 30.0  # what a supervisor allows; a worker promises 28, whatever hangs
IDLE_S = 2.0  # how long a connection is kept that nobody uses: the server lets it go after five, whoever speaks meanwhile
WORDS_MAX = 30_000  # characters of a log that a failure prints: every task's stack
KINDS = ("police", "health", "social_welfare")
BLOCKS = range(10_000, 20_000, 200)  # below what a broker or a database of ours takes, and what systems give out by themselves


@contextmanager
def block_of_ports() -> Iterator[int]:
    """The first of 200 ports that nobody listens on, held by a lock against every other test run of this machine: a demo or a
    replay listens only once its accounts are made, and two of them would find the same ports free."""
    locks = Path(tempfile.gettempdir()) / "refnet-ports"
    locks.mkdir(exist_ok=True)
    for first in random.SystemRandom().sample(BLOCKS, len(BLOCKS)):  # tests that are seeded must not all try the same first
        with ExitStack() as ours:
            try:
                lock = ours.enter_context((locks / str(first)).open("w"))
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                with ExitStack() as held:
                    for port in range(first, first + BLOCKS.step):
                        held.enter_context(socket.socket()).bind(("127.0.0.1", port))
            except OSError:
                continue
            yield first
            return
    raise AssertionError("no block of free ports was found")


def today() -> str:
    """The day of these agencies, which go by the machine's clock, whatever day it is where the test runs."""
    return datetime.now(ZoneInfo("Africa/Lusaka")).date().isoformat()


_blocks, _left, _one_by_one = ExitStack(), list[int](), threading.Lock()


def free_port() -> int:
    """A port that nobody listens on, and that nobody else is given for as long as these tests run."""
    with _one_by_one:
        if not _left:
            first = _blocks.enter_context(block_of_ports())
            _left.extend(range(first, first + BLOCKS.step))
        return _left.pop()


def until(true: Callable[[], bool], what: str, deadline_s: float = DEADLINE_S) -> None:
    """Waits for a condition; fails after the deadline."""
    end, (pause, longest) = time.monotonic() + deadline_s, POLL_S
    while not true():
        assert time.monotonic() < end, f"waited {deadline_s:.0f} s for {what}"
        time.sleep(pause)
        pause = min(pause * 1.5, longest)


class Process:
    """One agency's process, and the crash points that its next starts are armed with."""

    def __init__(self, network: "ProcessNetwork", kind: str, role: str = "serve") -> None:
        self.network, self.kind, self.role = network, kind, role
        self.agency = network.names[kind]
        self.port = free_port()
        self.points: Iterator[str] = iter(())
        self.armed: str | None = None
        self.died_at: list[str] = []
        self._child: subprocess.Popen[bytes] | Child | None = None
        self._log = network.home / f"{self.agency}-{role}.log"
        self.addresses: set[str] = set()  # asked for, or redirected to
        self._http = httpx.Client(
            base_url=f"http://{network.host(kind)}:{self.port}",
            timeout=20,
            limits=httpx.Limits(keepalive_expiry=IDLE_S),
            event_hooks={"response": [self._note_address]},
        )

    def start(self) -> None:
        """Starts the process, armed with its next crash point if there is one left."""
        self.armed = next(self.points, None)
        environment = self.network.environment(self.kind) | ({"REFNET_CRASH": self.armed} if self.armed else {})
        arguments = [self.role, self.agency, "--host", self.network.host(self.kind), "--port", str(self.port)]
        within = self.network.within(self.kind)
        self._log.touch()  # a child opens it in its own time
        if not within:
            self._child = source().start(arguments, environment, self._log)
            return
        with self._log.open("ab") as log:
            command = [*within, sys.executable, "-m", "services.cli", *arguments]
            self._child = subprocess.Popen(command, env=environment, stdout=log, stderr=log)

    @property
    def is_dead(self) -> bool:
        """Whether it has ended, however that came."""
        return self._child is None or self._child.poll() is not None

    def look(self) -> None:
        """A process that its crash point killed is started again; any other death fails the test."""
        if self._child is None or self._child.poll() is None:
            return
        assert self._child.returncode == -signal.SIGKILL, (
            f"{self.agency} stopped with {self._child.returncode}: {self.last_words()}"
        )
        assert self.armed is not None, f"{self.agency} was killed by somebody else"
        self.died_at.append(self.armed)
        self.start()

    def log_to(self, file: Path) -> None:
        """Where its next starts write their log."""
        self._log = file

    def last_words(self) -> str:
        """The end of its log."""
        return self._log.read_text(errors="replace")[-1_500:]

    def stop(self) -> int:
        """SIGTERM; returns the exit code. What does not end in time says what it waits for."""
        if self._child is None:
            return 0
        self._child.send_signal(signal.SIGTERM)
        try:
            code = self._child.wait(STOP_DEADLINE_S)
        except subprocess.TimeoutExpired:
            if not isinstance(self._child, Child):
                raise
            self._child.send_signal(STACKS)
            with contextlib.suppress(AssertionError):  # where Python does not get to run, its threads are there all the same
                until(lambda: ALL_TOLD in self._log.read_text(errors="replace"), "what it waits for", STOP_DEADLINE_S)
            raise AssertionError(f"{self.agency} has not stopped: {self._log.read_text(errors='replace')[-WORDS_MAX:]}") from None
        self._child = None
        return code

    def kill(self) -> None:
        """SIGKILL, as a power cut."""
        if self._child is not None and self._child.poll() is None:
            self._child.kill()
            self._child.wait(30)
        self._child = None

    def _note_address(self, answer: httpx.Response) -> None:
        self.addresses |= {str(answer.request.url), answer.headers.get("location", "")}

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Asks until it is answered, under one idempotency key: what a desk's program does when the line drops."""
        headers = {"Authorization": f"Bearer {self.network.tokens[self.kind]}", "Idempotency-Key": str(new_id())}
        end = time.monotonic() + DEADLINE_S
        while True:
            self.look()
            try:
                answer = self._http.request(method, path, json=body, headers=headers)
            except httpx.TransportError:
                assert time.monotonic() < end, f"{self.agency} does not answer: {self.last_words()}"
                time.sleep(POLL_S[0])
                continue
            if answer.status_code == 503:  # the database is away: the same request again, as the answer says
                assert time.monotonic() < end, f"{self.agency}: {answer.text[:300]}"
                time.sleep(POLL_S[0])
                continue
            assert answer.status_code < 400, f"{method} {path}: {answer.status_code} {answer.text[:300]}"
            return answer.json()

    def once(self, method: str, path: str, body: Any = None, key: str | None = None) -> httpx.Response:
        """Asks once, and returns whatever is answered; raises httpx.TransportError where nobody does."""
        headers = {"Authorization": f"Bearer {self.network.tokens[self.kind]}", "Idempotency-Key": key or str(new_id())}
        return self._http.request(method, path, json=body, headers=headers)

    def health(self, what: str = "ready") -> tuple[int, dict[str, Any]]:
        """What /health/ready or /health/live answers now, whatever it is; (0, {}) where nobody listens yet."""
        try:
            answer = self._http.get(f"/health/{what}")
        except httpx.TransportError:
            return 0, {}
        return answer.status_code, answer.json()

    def get(self, path: str) -> Any:
        """GET /api/v1/…"""
        return self.ask("GET", f"/api/v1{path}")

    def post(self, path: str, body: Any = None) -> Any:
        """POST /api/v1/…"""
        return self.ask("POST", f"/api/v1{path}", body if body is not None else {})

    def rss_mb(self) -> float:
        """What it holds in memory now, in MB."""
        assert self._child is not None, f"{self.agency} is not running"
        return rss_mb(self._child.pid)

    def close(self) -> None:
        """Ends it."""
        self.kill()
        self._http.close()


class ProcessNetwork:
    """The demo's agencies, and those named `beside` them, under names of this test's own, so that tests share one Kafka."""

    def __init__(
        self, home: Path, kafka: Kafka, unique: str, urls: dict[str, str], partitions: int = 1, beside: Iterable[str] = ()
    ) -> None:
        self.home, self.kafka, self.urls = home, kafka, urls
        self.names = {kind: f"{kind}_{unique}" for kind in (*KINDS, *beside)}
        content = yaml.safe_load((Path(services.demo.__file__).parent / "network.yaml").read_text())
        content["purpose"], content["partitions"] = "test", partitions
        known = content["agencies"] | BESIDE | {"oversight": OVERSIGHT}
        content["agencies"] = {name: known[kind] for kind, name in self.names.items()}
        content["pairs"] += [[kind, other] for kind in beside for other in KINDS]
        content["pairs"] = [[self.names[a], self.names[b]] for a, b in content["pairs"]]
        self.file = home / "network.yaml"
        self.file.write_text(yaml.safe_dump(content))
        self.tokens: dict[str, str] = {}
        self.more: dict[str, dict[str, str]] = {}  # by kind: what its environment holds besides

    def host(self, kind: str) -> str:
        """The address at which an agency's processes answer desks."""
        return "127.0.0.1"

    def within(self, kind: str) -> list[str]:
        """The command that an agency's processes are started under."""
        return []

    def exchange_host(self, kind: str) -> str:
        """The address of an agency's direct line."""
        return "127.0.0.1"

    def lay_direct_lines(self) -> None:
        """Every pair also speaks past the broker: an address and a certificate for each agency."""
        content = yaml.safe_load(self.file.read_text())
        for kind, name in self.names.items():
            content["agencies"][name]["exchange_url"] = f"https://{self.exchange_host(kind)}:{free_port()}"
        self.file.write_text(yaml.safe_dump(content))
        make_certificates(self.home, self.names.values(), "test", datetime.now(UTC))

    def refnet(self, kind: str, *arguments: str, typed: str = "", **more: str) -> subprocess.CompletedProcess[str]:
        """What an operator of an agency types, run to its end; `typed` is a line for whatever is asked."""
        command, environment = [sys.executable, "-m", "services.cli", *arguments], self.environment(kind) | more
        said = f"{typed}\n"
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False, input=said, start_new_session=True
        )  # without a terminal a question is answered here

    def environment(self, kind: str) -> dict[str, str]:
        """What a process of an agency is given."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("REFNET_", "KAFKA_"))}
        return {
            **kept, "REFNET_HOME": str(self.home), "REFNET_NETWORK": str(self.file),
            "KAFKA_BOOTSTRAP_SERVERS": self.kafka.bootstrap_servers, "REFNET_DATABASE_URL": self.urls[kind],
            **self.more.get(kind, {}),
        }  # fmt: skip

    def operators(self) -> dict[str, str]:
        """What the broker's operator has in place of an agency's way to it."""
        return variables_of(self.kafka.operator)

    def settings(self, kind: str, **more: str) -> Settings:
        """The same as settings of this process."""
        environment = self.environment(kind) | more
        return Settings.model_validate({k: v for k, v in environment.items() if k.startswith(("REFNET_", "KAFKA_"))})

    def seal(self, agency: str) -> KeyedSeal:
        """The keys of an agency as its own processes have them."""
        settings = self.settings("police")
        return settings.seal(agency, settings.network())

    async def provision(self) -> None:
        """Topics, users and rights, as the broker's operator makes them."""
        await provision(self.settings("police", **self.operators()))

    async def give_users_alone(self) -> None:
        """Users that may do nothing yet."""
        passwords = {name: secrets.token_hex() for name in self.names.values()}
        await admit(self.kafka.operator, (), passwords)
        for name, password in passwords.items():
            user_of(self.home, name).keep(password, self.kafka.operator.ca)

    async def set_up(self, *, topics: bool = True) -> None:
        """Topics and users, databases and one account an agency."""
        if topics:
            await self.provision()
        for kind in self.names:
            made = build(self.settings(kind), self.names[kind])
            if self.urls[kind].startswith("sqlite"):
                await asyncio.to_thread(sqlite_at_head, Path(self.urls[kind].removeprefix("sqlite:///")), kind)
            else:
                await migrate(made.database, made.parts.migrations, f"{made.parts.kind}_")
            async with made.database.write() as tx:
                await add_account(tx, made.here, "one", Role(ROLE_OF[kind]), None)
                self.tokens[kind] = await make_token(tx, "one")
            await made.database.close()

    @contextmanager
    def running(
        self, roles: Iterable[tuple[str, str]], points: dict[str, Iterable[str]] | None = None
    ) -> Iterator[dict[str, Process]]:
        """The processes (kind, role), the serving one of each kind by its kind."""
        made = [Process(self, kind, role) for kind, role in roles]
        try:
            for process in made:
                process.points = iter((points or {}).get(process.kind, ()) if process.role == "serve" else ())
                process.start()
            yield {process.kind: process for process in made if process.role == "serve"}
        finally:
            for process in made:
                process.close()

    @contextmanager
    def started(self, *roles: tuple[str, str]) -> Iterator[list[Process]]:
        """A process for each (kind, role), in this order; the same may be named several times."""
        made = [Process(self, kind, role) for kind, role in roles]
        try:
            for process in made:
                process.start()
            yield made
        finally:
            for process in made:
                process.close()

    def database(self, kind: str) -> Database:
        """An agency's database, for looking."""
        return Database(self.urls[kind], keys=self.settings(kind).keystore(self.names[kind]))

    def rows(self, kind: str, query: str) -> list[tuple[Any, ...]]:
        """What a query finds in an agency's database."""

        async def look() -> list[tuple[Any, ...]]:
            from sqlalchemy import text

            database = self.database(kind)
            async with database.read() as tx:
                found = [tuple(row) for row in (await tx.session.execute(text(query))).all()]
            await database.close()
            return found

        return asyncio.run(look())

    def check_streams(self, kinds: Iterable[str] = KINDS) -> None:
        """Streams are dense, every slot is held once with the same leaf, both heads are the same, every event applied once, and
        nothing is left over: between those of these kinds, which were all at work."""
        for sender, recipient in itertools.permutations(kinds, 2):
            said = self.rows(
                sender, f"SELECT seq, leaf, event_id FROM exchange_outbox WHERE recipient = '{self.names[recipient]}' ORDER BY seq"
            )
            assert [row[0] for row in said] == list(range(1, len(said) + 1)), f"the stream {sender} to {recipient} is not dense"
            held = self.rows(
                recipient, f"SELECT seq, leaf, event_id FROM exchange_slots WHERE sender = '{self.names[sender]}' ORDER BY seq"
            )
            assert _plain(said) == _plain(held), f"{recipient} does not hold what {sender} said"
            theirs = (
                f"SELECT incarnation, size, frontier FROM exchange_streams WHERE recipient = '{self.names[recipient]}' AND size > 0"
            )
            ours = f"SELECT incarnation, upto, frontier FROM exchange_heads WHERE sender = '{self.names[sender]}' AND upto > 0"
            assert _heads(self.rows(sender, theirs)) == _heads(self.rows(recipient, ours)), f"{sender} to {recipient}: two heads"
            inbox = self.rows(
                recipient, f"SELECT state, count(*) FROM exchange_inbox WHERE sender = '{self.names[sender]}' GROUP BY state"
            )
            assert dict(inbox) in ({}, {"applied": len(said)}), f"{sender} to {recipient}: {inbox}"
            assert not self.rows(recipient, "SELECT 1 FROM exchange_forks")

    def facts_of(self, kind: str, referral_id: str) -> list[str]:
        """The story of a referral at one end, in its order."""
        key = referral_id.replace("-", "") if self.urls[kind].startswith("sqlite") else referral_id
        query = f"SELECT type FROM casework_referral_facts WHERE referral_id = '{key}' ORDER BY position"
        return [row[0].removeprefix("referral.") for row in self.rows(kind, query)]


def _plain(rows: list[tuple[Any, ...]]) -> list[tuple[int, bytes, str]]:
    return [(seq, bytes(leaf), str(event_id).replace("-", "")) for seq, leaf, event_id in rows]


def _heads(rows: list[tuple[Any, ...]]) -> set[tuple[str, int, bytes]]:
    return {(str(incarnation).replace("-", ""), int(size), bytes(frontier)) for incarnation, size, frontier in rows}


def everyone_is_ready(processes: dict[str, Process] | list[Process]) -> None:
    """Waits until every process answers and every line is open."""
    for process in processes if isinstance(processes, list) else processes.values():
        deadline = time.monotonic() + DEADLINE_S
        while (said := process.health())[1].get("status") != "ready":
            process.look()
            assert time.monotonic() < deadline, f"{process.agency} is not ready: {said}; {process.last_words()}"
            time.sleep(POLL_S[0])
