"""`refnet demo`: a broker, three agencies as separate processes with SQLite, and one synthetic survivor on her way."""

import asyncio
import contextlib
import fcntl
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import yaml

from services.broker_users import user_of
from services.certificates import make_certificates
from services.demo import journey
from services.demo.beside import write_env
from services.demo.cast import Cast, cast_of
from services.demo.client import Client
from services.demo.start import serving, start_app
from services.provision import provision
from services.runtime import Agency, build
from services.settings import Settings, variables_of
from shared.casework.accounts.commands import add_account, make_token
from shared.casework.accounts.credentials import set_own_secrets
from shared.casework.migrate import migrate
from shared.exchange.access import Access
from shared.kit.errors import Conflict, RefnetError
from shared.kit.local.broker import Broker, start_broker
from shared.kit.local.errors import LocalServerError
from shared.kit.local.trial import name_topics

READY_DEADLINE_S = 60.0  # a process is ready in about 3 s; a slow machine gets more
STOP_DEADLINE_S = 20.0  # a batch in flight is finished well within this
POLL_S = 0.1
DIRECT_PORTS_ABOVE = 100  # from an agency's pages to its direct line

DEMO_PIN = "271828"  # of accounts that are made up, on a network whose purpose is to be shown


def say(words: str = "") -> None:
    """A line for the person at the terminal."""
    sys.stdout.write(words + "\n")
    sys.stdout.flush()


def run_demo(
    *, programme: str | None, once: bool, keep: bool, broker: Literal["auto", "kafka", "docker", "trial"], port: int
) -> None:
    """The whole demo; raises RefnetError with one sentence where it cannot run."""
    for kind in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(kind, _leave)  # so that whatever was started is stopped too, at any moment
    home = Path(os.environ.get("REFNET_HOME", ".refnet")).resolve() / "demo"
    cast = cast_of(programme)
    agencies = cast.agencies
    ports = {agency: port + number for number, agency in enumerate(agencies.values(), start=1)}
    direct = {agency: DIRECT_PORTS_ABOVE + own for agency, own in ports.items()}
    with ExitStack() as stack:
        # Before anything is cleared: the databases there may be those of a demo that runs.
        stack.enter_context(_alone(home))
        _check_free(port, *ports.values(), *direct.values())
        if not keep:
            shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True, exist_ok=True)
        line = _broker(broker, home, stack)
        environment = _environment(home, line, cast, _network(home, cast, direct))
        beside = write_env(home, environment)
        tokens = asyncio.run(_set_up(environment, line, cast))
        processes = stack.enter_context(_agencies(_as_agencies(environment, home, cast), ports, home))
        clients = {agency: Client(f"http://127.0.0.1:{ports[agency]}", tokens[agency][0]) for agency in ports}
        _wait_ready(processes, clients)
        say("Three agencies are running, each with its own database. One synthetic survivor now goes through the pathway.")
        say("Times are UTC here and local on the pages; codes are those of the API.\n")
        journey.run({kind: clients[agency] for kind, agency in agencies.items()}, cast, say)
        if not once:
            addresses = {str(kind): f"http://127.0.0.1:{ports[agency]}" for kind, agency in agencies.items()}
            people = {
                str(kind): [(name, str(role)) for name, role, _place in cast.accounts(agency)] for kind, agency in agencies.items()
            }
            stack.enter_context(serving(start_app(addresses, people, line.label, forgets=line.forgets), port))
            _farewell(line, port, ports, cast, tokens)
            say(f"\n  In another terminal, for `.venv/bin/refnet doctor` and every other command:  {beside}")
            _until_stopped(processes)


def _leave(*_: object) -> None:
    raise KeyboardInterrupt


def _broker(choice: Literal["auto", "kafka", "docker", "trial"], home: Path, stack: ExitStack) -> Broker:
    given = os.environ.get("KAFKA_BOOTSTRAP_SERVERS")
    # A broker that is ours begins empty with new databases: the home of the run before is another life.
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


def _network(home: Path, cast: Cast, direct: dict[str, int]) -> Path:
    """The demo's network file, with where each agency's direct line listens this time."""
    content = cast.network.model_dump(mode="json", exclude_defaults=True)
    for agency, port in direct.items():
        content["agencies"][agency]["exchange_url"] = f"https://127.0.0.1:{port}"
    file = home / "network.yaml"
    file.write_text(yaml.safe_dump(content, sort_keys=False))
    return file


def _environment(home: Path, line: Broker, cast: Cast, network: Path) -> dict[str, str]:
    given = ("REFNET_KAFKA_",) if line.kind == "given" else ()  # how its operator reaches a broker that is not ours
    kept = {k: v for k, v in os.environ.items() if not k.startswith("REFNET_") or k.startswith(given)}
    return {
        **kept, "REFNET_HOME": str(home), "REFNET_NETWORK": str(network), "KAFKA_BOOTSTRAP_SERVERS": line.bootstrap_servers,
        "REFNET_PROGRAMME": _absolute(cast.programme), "REFNET_LOG": "json",
    }  # fmt: skip


def _absolute(programme: str) -> str:
    """A programme's name as it is, or its file from anywhere."""
    return str(Path(programme).resolve()) if programme.endswith(".yaml") else programme


def _as_agencies(environment: dict[str, str], home: Path, cast: Cast) -> dict[str, str]:
    """Without the operator's password, where every agency has been given one of its own."""
    if not all(user_of(home, agency).folder.is_dir() for agency in cast.agencies.values()):
        return environment
    return {k: v for k, v in environment.items() if k not in ("REFNET_KAFKA_USERNAME", "REFNET_KAFKA_PASSWORD")}


async def _set_up(environment: dict[str, str], line: Broker, cast: Cast) -> dict[str, list[str]]:
    """Certificates, topics and users, databases and accounts; returns each agency's tokens, the desk's first."""
    settings = _settings(environment)
    network = settings.network()
    make_certificates(settings.home, cast.agencies.values(), network.purpose, datetime.now(UTC))
    if line.kind == "trial":
        await asyncio.to_thread(name_topics, settings.access().bootstrap_servers, network.topics())
    else:
        await provision(_settings(environment | _operators(line)))
    return {agency: await _accounts(build(settings, agency), cast) for agency in cast.agencies.values()}


def _settings(environment: dict[str, str]) -> Settings:
    return Settings.model_validate({k: v for k, v in environment.items() if k.startswith(("REFNET_", "KAFKA_"))})


def _operators(line: Broker) -> dict[str, str]:
    """What the operator of a broker of ours has in place of an agency's way to it; of one that was given, the environment says."""
    return variables_of(Access(**asdict(line.operator))) if line.operator else {}


async def _accounts(agency: Agency, cast: Cast) -> list[str]:
    await migrate(agency.database, agency.parts.migrations, f"{agency.parts.kind}_")
    tokens, added = [], []
    async with agency.database.write() as tx:
        for name, role, facility in cast.accounts(agency.here.agency):
            with contextlib.suppress(Conflict):  # kept from the run before
                account = await add_account(tx, agency.here, name, role, facility)
                added.append(agency.here.actor(account.id, name, role, facility))
            tokens.append(await make_token(tx, name))
    for actor in added:
        await set_own_secrets(agency.database, actor, None, DEMO_PIN)
    await agency.database.close()
    return tokens


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    """Holds the folder while the block runs; raises RefnetError where another demo does."""
    home.parent.mkdir(parents=True, exist_ok=True)
    with (home.parent / f"{home.name}.lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RefnetError(
                "A demo runs already with the databases of this folder; end it with Ctrl-C, "
                "or set REFNET_HOME to another folder and choose other ports with `make demo DEMO='--port 9000'`."
            ) from error
        yield


def _check_free(*ports: int) -> None:
    """Raises RefnetError where somebody listens already: the demo would speak to a stranger."""
    for port in ports:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError as error:
                raise RefnetError(
                    f"Port {port} on 127.0.0.1 cannot be used ({error.strerror}); end the demo that runs there, "
                    "or choose others with `make demo DEMO='--port 9000'`."
                ) from error


@contextmanager
def _agencies(environment: dict[str, str], ports: dict[str, int], home: Path) -> Iterator[dict[str, subprocess.Popen[bytes]]]:
    processes: dict[str, subprocess.Popen[bytes]] = {}
    try:
        for agency, port in ports.items():
            with (home / f"{agency}.log").open("ab") as log:
                command = [sys.executable, "-m", "services.cli", "serve", agency, "--port", str(port)]
                processes[agency] = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
        yield processes
    finally:
        for process in processes.values():
            process.send_signal(signal.SIGTERM)
        for process in processes.values():
            try:
                process.wait(STOP_DEADLINE_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_ready(processes: dict[str, subprocess.Popen[bytes]], clients: dict[str, Client]) -> None:
    until = time.monotonic() + READY_DEADLINE_S
    for agency, client in clients.items():
        while not client.is_ready():
            if processes[agency].poll() is not None:
                raise RefnetError(f"The {agency} agency stopped: {_last_words(agency)}")
            if time.monotonic() > until:
                raise RefnetError(
                    f"The {agency} agency is not ready after {READY_DEADLINE_S:.0f} s; its log is beside its database."
                )
            time.sleep(POLL_S)


def _last_words(agency: str) -> str:
    log = Path(os.environ.get("REFNET_HOME", ".refnet")).resolve() / "demo" / f"{agency}.log"
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1].removeprefix("refnet: ") if lines else "it gave no reason."


def _farewell(line: Broker, port: int, ports: dict[str, int], cast: Cast, tokens: dict[str, list[str]]) -> None:
    say("The agencies stay up until Ctrl-C. Nobody in them is real." + (f" {line.label}." if line.forgets else ""))
    say(f"\n  Open http://127.0.0.1:{port} and choose a role. After Hide, every demo account's PIN is {DEMO_PIN}.")
    for agency, own in ports.items():
        say(f"\n  {agency:<15} http://127.0.0.1:{own}  (its API: /docs)")
        for (name, role, facility), token in zip(cast.accounts(agency), tokens[agency], strict=True):
            say(f"    {name:<12} {role:<14} {facility or 'the whole agency':<24} bearer token {token}")


def _until_stopped(processes: dict[str, subprocess.Popen[bytes]]) -> None:
    stopped = False

    def stop(*_: object) -> None:
        nonlocal stopped
        stopped = True

    for kind in (signal.SIGINT, signal.SIGTERM):
        signal.signal(kind, stop)
    while not stopped:
        for agency, process in processes.items():
            if process.poll() is not None:
                raise RefnetError(f"The {agency} agency stopped: {_last_words(agency)}")
        time.sleep(POLL_S)
    say("\nStopping …")
