"""`refnet demo`: a broker, three agencies as separate processes with SQLite, and one synthetic survivor on her way."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from services.demo import journey
from services.demo.beside import write_env
from services.demo.cast import Cast, cast_of
from services.demo.client import Client
from services.demo.start import serving, start_app
from services.staging import (
    POLL_S,
    Account,
    BrokerChoice,
    Stage,
    alone,
    check_free,
    direct_ports,
    find_broker,
    fresh_folder,
    leaving_on_signals,
    ports_by_kind,
    running,
    set_up,
    wait_ready,
    write_network,
)

NUMBERS = {3: "Three", 4: "Four", 5: "Five", 6: "Six"}
DEMO_PIN = "271828"  # of accounts that are made up, on a network whose purpose is to be shown
RUNS_ALREADY = (
    "A demo runs already with the databases of this folder; end it with Ctrl-C, "
    "or set REFNET_HOME to another folder and choose other ports with `make demo DEMO='--port 9000'`."
)
OTHER_PORTS = "end the demo that runs there, or choose others with `make demo DEMO='--port 9000'`."


def say(words: str = "") -> None:
    """A line for the person at the terminal."""
    sys.stdout.write(words + "\n")
    sys.stdout.flush()


def run_demo(*, programme: str | None, once: bool, keep: bool, broker: BrokerChoice, port: int) -> None:
    """The whole demo; raises RefnetError with one sentence where it cannot run."""
    home = Path(os.environ.get("REFNET_HOME", ".refnet")).resolve() / "demo"
    cast = cast_of(programme)
    agencies = cast.agencies
    ports = ports_by_kind(port, agencies)
    with ExitStack() as stack:
        stack.enter_context(leaving_on_signals())
        # Before anything is cleared: the databases there may be those of a demo that runs.
        stack.enter_context(alone(home, RUNS_ALREADY))
        check_free([port, *ports.values(), *direct_ports(ports).values()], OTHER_PORTS)
        fresh_folder(home, keep=keep)
        stage = Stage(home, find_broker(broker, home, stack, say), cast.network, ports, cast.programme)
        write_network(stage)
        beside = write_env(home, stage.environment())
        accounts = asyncio.run(set_up(stage, {agency: cast.people(agency) for agency in ports}, DEMO_PIN))
        processes = stack.enter_context(running(stage))
        clients = {agency: Client(stage.address(agency), accounts[agency][0].token) for agency in ports}
        wait_ready(stage, processes, accounts, OTHER_PORTS)
        say(f"{NUMBERS[len(ports)]} agencies are running, each with its own database.")
        say("One synthetic survivor now goes through the pathway.")
        say("Times are UTC here and local on the pages; codes are those of the API.\n")
        journey.run({kind: clients[agency] for kind, agency in agencies.items()}, cast, say)
        if not once:
            addresses = {str(kind): stage.address(agency) for kind, agency in agencies.items()}
            people = {str(kind): [(one.name, str(one.role)) for one in cast.people(agency)] for kind, agency in agencies.items()}
            stack.enter_context(serving(start_app(addresses, people, stage.line.label, forgets=stage.line.forgets), port))
            _farewell(stage, port, cast, accounts)
            say(f"\n  In another terminal, for `.venv/bin/refnet doctor` and every other command:  {beside}")
            _until_stopped(stage, processes)


def _farewell(stage: Stage, port: int, cast: Cast, accounts: Mapping[str, list[Account]]) -> None:
    line = stage.line
    say("The agencies stay up until Ctrl-C. Nobody in them is real." + (f" {line.label}." if line.forgets else ""))
    say(f"\n  Open http://127.0.0.1:{port} and choose a role. After Hide, every demo account's PIN is {DEMO_PIN}.")
    for agency in stage.ports:
        say(f"\n  {agency:<15} {stage.address(agency)}  (its API: /docs)")
        for (name, role, facility), (_id, token) in zip(cast.people(agency), accounts[agency], strict=True):
            say(f"    {name:<12} {role:<14} {facility or 'the whole agency':<24} bearer token {token}")


def _until_stopped(stage: Stage, processes: Mapping[str, subprocess.Popen[bytes]]) -> None:
    stopped = False

    def stop(*_: object) -> None:
        nonlocal stopped
        stopped = True

    for kind in (signal.SIGINT, signal.SIGTERM):
        signal.signal(kind, stop)
    while not stopped:
        stage.check_alive(processes)
        time.sleep(POLL_S)
    say("\nStopping …")
