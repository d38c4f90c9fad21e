"""Agencies as separate processes on one machine, each with its own database, as a demo and a simulation need them: a broker, the
network's file, certificates, topics and users, databases, accounts with their tokens. Everybody in them is made up.
"""

import asyncio
import contextlib
import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from http.client import HTTPException
from pathlib import Path
from typing import Literal, NamedTuple
from uuid import UUID

import yaml

from services.broker_users import user_of
from services.certificates import make_certificates
from services.provision import provision
from services.runtime import Agency, build
from services.settings import Settings, variables_of
from shared.casework.accounts.commands import add_account, find_account, make_token
from shared.casework.accounts.credentials import set_own_secrets
from shared.casework.directory.network import Network
from shared.casework.migrate import migrate
from shared.contracts.casework.codes import AgencyKind, Role
from shared.exchange.access import Access
from shared.kit.errors import Conflict, RefnetError
from shared.kit.local.broker import Broker, start_broker
from shared.kit.local.errors import LocalServerError
from shared.kit.local.trial import name_topics

READY_DEADLINE_S = 60.0  # a process is ready in about 3 s; a slow machine gets more
STOP_DEADLINE_S = 20.0  # a batch in flight is finished well within this
READY_ANSWER_S = 15.0  # an answer takes milliseconds
POLL_S = 0.1
PLACE_OF_PORT = (
    AgencyKind.POLICE, AgencyKind.HEALTH, AgencyKind.SOCIAL_WELFARE, AgencyKind.OVERSIGHT, AgencyKind.PARTNER, AgencyKind.JUSTICE,
)  # fmt: skip
DIRECT_PORTS_ABOVE = 100  # from an agency's pages to its direct line

BrokerChoice = Literal["auto", "kafka", "docker", "trial"]
ProcessRole = Literal["serve", "web"]
Say = Callable[[str], None]


class Person(NamedTuple):
    """Who signs in at an agency; `facility` None sees the whole of it."""

    name: str
    role: Role
    facility: str | None


class Account(NamedTuple):
    """A person's account as it was made, with a token for the API."""

    id: UUID
    token: str


@dataclass(frozen=True, slots=True)
class Stage:
    """Where the agencies of a network run. `databases` has the address of each agency's own where it is not SQLite in `home`;
    `clock` names the file from which all of them read the time, where it is not the machine's."""

    home: Path
    line: Broker
    network: Network
    ports: Mapping[str, int]
    programme: str
    databases: Mapping[str, str] = field(default_factory=dict)
    clock: Path | None = None

    def environment(self, agency: str | None = None) -> dict[str, str]:
        """What a process of an agency is given, or what whoever sets them up has."""
        given = ("REFNET_KAFKA_",) if self.line.kind == "given" else ()  # how its operator reaches a broker that is not ours
        kept = {k: v for k, v in os.environ.items() if not k.startswith("REFNET_") or k.startswith(given)}
        made = {
            **kept, "REFNET_HOME": str(self.home), "REFNET_NETWORK": str(self.home / "network.yaml"),
            "KAFKA_BOOTSTRAP_SERVERS": self.line.bootstrap_servers, "REFNET_PROGRAMME": _absolute(self.programme),
            "REFNET_LOG": "json",
        }  # fmt: skip
        if self.clock is not None:
            made["REFNET_CLOCK"] = f"file:{self.clock}"
        return made | ({"REFNET_DATABASE_URL": self.databases[agency]} if agency is not None and agency in self.databases else {})

    def settings(self, agency: str | None = None) -> Settings:
        """The same, as settings of this process."""
        return _settings(self.environment(agency))

    def address(self, agency: str) -> str:
        """Where an agency answers."""
        return f"http://127.0.0.1:{self.ports[agency]}"

    def last_words(self, agency: str) -> str:
        """Why an agency stopped, as its log ends."""
        lines = (self.home / f"{agency}.log").read_text(errors="replace").strip().splitlines()
        return lines[-1].removeprefix("refnet: ") if lines else "it gave no reason."

    def check_alive(self, processes: Mapping[str, subprocess.Popen[bytes]]) -> None:
        """Raises RefnetError where an agency has stopped by itself."""
        for agency, process in processes.items():
            if process.poll() is not None:
                raise RefnetError(f"The {agency} agency stopped: {self.last_words(agency)}")


def ports_after(port: int, agencies: Sequence[str]) -> dict[str, int]:
    """Where each agency listens."""
    return {agency: port + number for number, agency in enumerate(agencies, start=1)}


def ports_by_kind(port: int, agencies: Mapping[AgencyKind, str]) -> dict[str, int]:
    """Where each agency of a demo listens: a kind has the same place in every programme."""
    return {agency: port + PLACE_OF_PORT.index(kind) + 1 for kind, agency in agencies.items()}


def direct_ports(ports: Mapping[str, int]) -> dict[str, int]:
    """Where each agency's direct line listens."""
    return {agency: DIRECT_PORTS_ABOVE + own for agency, own in ports.items()}


def fresh_folder(home: Path, *, keep: bool = False) -> None:
    """An empty folder, or what the run before left in it."""
    if not keep:
        shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True, exist_ok=True)


@contextmanager
def leaving_on_signals() -> Iterator[None]:
    """So that whatever was started in the block is stopped too, at any moment."""

    def leave(*_: object) -> None:
        raise KeyboardInterrupt

    before = {kind: signal.signal(kind, leave) for kind in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)


def find_broker(choice: BrokerChoice, home: Path, stack: ExitStack, say: Say) -> Broker:
    """A broker that runs until the stack is left; raises RefnetError. A broker that is ours begins empty with new databases: the
    home of the run before is another life."""
    given = os.environ.get("KAFKA_BOOTSTRAP_SERVERS")
    say("Looking for a broker …")
    try:
        line = start_broker(choice, bootstrap_servers=given, home=home, say=lambda words: say(f"  {words}"))
    except LocalServerError as error:
        raise RefnetError(str(error)) from error
    stack.callback(line.stop)
    for reason in line.reasons:
        say(f"  not used: {reason}")
    say(f"Broker: {line.label}\n")
    (home / "broker").write_text(line.bootstrap_servers)
    if line.forgets:
        (home / "broker.forgets").touch()
    else:
        (home / "broker.forgets").unlink(missing_ok=True)
    return line


def write_network(stage: Stage) -> None:
    """The network's file, with where each agency's direct line listens this time."""
    content = stage.network.model_dump(mode="json", exclude_defaults=True)
    for agency, port in direct_ports(stage.ports).items():
        content["agencies"][agency]["exchange_url"] = f"https://127.0.0.1:{port}"
    (stage.home / "network.yaml").write_text(yaml.safe_dump(content, sort_keys=False))


def _absolute(programme: str) -> str:
    """A programme's name as it is, or its file from anywhere."""
    return str(Path(programme).resolve()) if programme.endswith(".yaml") else programme


def _settings(environment: Mapping[str, str]) -> Settings:
    return Settings.model_validate({k: v for k, v in environment.items() if k.startswith(("REFNET_", "KAFKA_"))})


def _operators(line: Broker) -> dict[str, str]:
    """What the operator of a broker of ours has in place of an agency's way to it; of one that was given, the environment says."""
    return variables_of(Access(**asdict(line.operator))) if line.operator else {}


async def set_up(stage: Stage, people: Mapping[str, Sequence[Person]], pin: str | None = None) -> dict[str, list[Account]]:
    """Certificates, topics and users, databases and accounts; returns each agency's accounts in the order of its people. With a
    `pin` every new account opens locked pages with it."""
    settings = stage.settings()
    make_certificates(settings.home, stage.network.agencies, stage.network.purpose, datetime.now(UTC))
    if stage.line.kind == "trial":
        await asyncio.to_thread(name_topics, settings.access().bootstrap_servers, stage.network.topics())
    else:
        await provision(_settings(stage.environment() | _operators(stage.line)))
    return {agency: await _accounts(build(stage.settings(agency), agency), several, pin) for agency, several in people.items()}


async def _accounts(agency: Agency, people: Sequence[Person], pin: str | None) -> list[Account]:
    await migrate(agency.database, agency.parts.migrations, f"{agency.parts.kind}_")
    accounts, added = [], []
    async with agency.database.write() as tx:
        for name, role, facility in people:
            with contextlib.suppress(Conflict):  # kept from the run before
                account = await add_account(tx, agency.here, name, role, facility)
                added.append(agency.here.actor(account.id, name, role, facility))
            accounts.append(Account((await find_account(tx, name)).id, await make_token(tx, name)))
    if pin is not None:
        for actor in added:
            await set_own_secrets(agency.database, actor, None, pin)
    await agency.database.close()
    return accounts


@contextmanager
def alone(home: Path, otherwise: str) -> Iterator[None]:
    """Holds the folder while the block runs; raises RefnetError with what is said `otherwise`, where somebody else does."""
    home.parent.mkdir(parents=True, exist_ok=True)
    with (home.parent / f"{home.name}.lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RefnetError(otherwise) from error
        yield


def check_free(ports: Sequence[int], otherwise: str) -> None:
    """Raises RefnetError where somebody listens already: we would speak to a stranger."""
    for port in ports:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError as error:
                raise RefnetError(f"Port {port} on 127.0.0.1 cannot be used ({error.strerror}); {otherwise}") from error


def begin(stage: Stage, agency: str, role: ProcessRole = "serve") -> subprocess.Popen[bytes]:
    """A process of an agency, its log beside its database. As `web` it has its pages and its API, and no line to anybody."""
    environment = stage.environment(agency)
    if all(user_of(stage.home, one).folder.is_dir() for one in stage.ports):
        # Without the operator's password, where every agency has been given one of its own.
        environment = {k: v for k, v in environment.items() if k not in ("REFNET_KAFKA_USERNAME", "REFNET_KAFKA_PASSWORD")}
    with (stage.home / f"{agency}.log").open("ab") as log:
        command = [sys.executable, "-m", "services.cli", role, agency, "--port", str(stage.ports[agency])]
        return subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)


def end(processes: Collection[subprocess.Popen[bytes]]) -> None:
    """Ends them, all at once, and waits until they have."""
    for process in processes:
        process.send_signal(signal.SIGTERM)
    for process in processes:
        try:
            process.wait(STOP_DEADLINE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def running(stage: Stage) -> Iterator[dict[str, subprocess.Popen[bytes]]]:
    """A process for each agency while the block runs; whoever ends one of them and begins another puts it in its place."""
    processes: dict[str, subprocess.Popen[bytes]] = {}
    try:
        for agency in stage.ports:
            processes[agency] = begin(stage, agency)
        yield processes
    finally:
        end(processes.values())


def wait_ready(
    stage: Stage, processes: Mapping[str, subprocess.Popen[bytes]], accounts: Mapping[str, Sequence[Account]], otherwise: str
) -> None:
    """Waits until every agency's API answers and its broker does too; raises RefnetError where one stops or takes too long, and
    where it is a stranger who answers: whoever took the port since it was free."""
    for agency, port in stage.ports.items():
        until = time.monotonic() + READY_DEADLINE_S  # since the one before answered: they begin together and share the machine
        while (is_ours := _is_ours(stage.address(agency), accounts[agency][0])) is None:
            stage.check_alive(processes)
            if time.monotonic() > until:
                raise RefnetError(
                    f"The {agency} agency is not ready after {READY_DEADLINE_S:.0f} s; its log is beside its database."
                )
            time.sleep(POLL_S)
        if not is_ours:
            raise RefnetError(f"Another program answers on port {port} of 127.0.0.1; {otherwise}")


def _is_ours(address: str, account: Account) -> bool | None:
    """Whether the agency that is ready there knows an account of ours; None where nothing that is ready answers."""
    as_ours = {"Authorization": f"Bearer {account.token}"}
    try:
        with urllib.request.urlopen(f"{address}/health/ready", timeout=READY_ANSWER_S) as answer:  # noqa: S310 — loopback
            if json.load(answer)["status"] != "ready":
                return None
        asked = urllib.request.Request(f"{address}/api/v1/directory/services", headers=as_ours)  # noqa: S310
        with urllib.request.urlopen(asked, timeout=READY_ANSWER_S):  # noqa: S310
            return True
    except urllib.error.HTTPError as error:  # not ready yet, and says why; or it refuses us
        return False if error.code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN) else None
    except (OSError, HTTPException, LookupError, TypeError, ValueError):  # refused, or nothing that an agency would say
        return None
