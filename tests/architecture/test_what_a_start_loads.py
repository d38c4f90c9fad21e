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
