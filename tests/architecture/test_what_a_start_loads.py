"""What an agency's process does not load: another kind's pages and commands, and what only migrates. Each costs memory in which a
cheap machine keeps rows, and time for which a desk waits."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from schema import sqlite_at_head

import services.demo
from services.kinds import MODULES
from shared.contracts.casework.events import EVENTS

START = """
import asyncio, json, sys
from services import serve
from services.runtime import build, check_database
from services.settings import load_settings
settings = load_settings()
agency = build(settings, sys.argv[1])
asyncio.run(check_database(agency))
edge = agency.edge(settings)
edge.exchange = agency.exchange(settings)
serve.config_of(agency.app(edge))
print(json.dumps(sorted(sys.modules)))
"""
# Each kind in a child of its own, which has loaded no other: what all share is loaded once, which takes seconds.
KINDS = """
import json, os
from services import runtime
from services.kinds import MODULES, parts_of
from shared.casework import homecoming
from shared.contracts.casework import codes, events
for kind in MODULES:
    if os.fork() == 0:
        parts_of(codes.AgencyKind(kind))
        print(json.dumps([kind, *(one.type for one in (*homecoming._OTHERS, *events.REFERRAL_EVENTS))]), flush=True)
        os._exit(0)
    assert os.wait()[1] == 0
"""


@pytest.mark.parametrize("kind", ["police", "health", "social_welfare"])
def test_an_agency_loads_no_other_kind_and_nothing_that_migrates(tmp_path: Path, kind: str) -> None:
    sqlite_at_head(tmp_path / f"{kind}.db", kind)
    network = Path(services.demo.__file__).parent / "network.yaml"
    environment = {
        **os.environ, "REFNET_HOME": str(tmp_path), "REFNET_NETWORK": str(network), "REFNET_SECRET_KEY": "0" * 64,
        "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",  # nothing is connected yet
    }  # fmt: skip
    done = subprocess.run([sys.executable, "-c", START, kind], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2_000:]
    loaded = set(json.loads(done.stdout))
    mine = MODULES[kind]  # type: ignore[index]
    assert mine in loaded
    assert not (set(MODULES.values()) - {mine}) & loaded
    assert not {name for name in loaded if name.split(".")[0] in {"alembic", "mako", "pytest", "playwright"}}


def test_each_kind_knows_by_itself_how_each_of_its_words_comes_home() -> None:
    """What a peer gives back after a restore is put back by whoever registered how, at its import; nobody else's is loaded."""
    done = subprocess.run([sys.executable, "-c", KINDS], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2_000:]
    known = {kind: set(types) for kind, *types in map(json.loads, done.stdout.splitlines())}
    assert known.keys() == set(MODULES)
    for kind, comes_home in known.items():
        its_own = {one.type for one in EVENTS if any(sender == kind for sender, _to in one.authority.ways)}
        assert its_own
        assert not its_own - comes_home, kind
