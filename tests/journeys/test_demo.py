"""`refnet demo`: runs to its end on a real Kafka and on the trial courier, which says that it forgets; leaves no process behind."""

import os
import socket
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from subprocess import PIPE

import pytest
from processes import block_of_ports, free_port

from services.demo.cast import cast_of
from services.demo.run import OTHER_PORTS, RUNS_ALREADY, run_demo
from services.staging import Account, Stage, alone, check_free, ports_by_kind, wait_ready
from shared.contracts.casework.codes import AgencyKind
from shared.kit.errors import RefnetError
from shared.kit.ids import new_id
from shared.kit.local.broker import Broker

DEMO_DEADLINE_S = 110


ANYWHERE = Path(__file__).parents[1] / "support" / "programmes" / "xx-anywhere.yaml"
DEMOS = {  # the broker, the programme that is named, and its agencies
    "kafka": ("kafka", [], ("police", "health", "social_welfare")),
    "trial": ("trial", [], ("police", "health", "social_welfare")),
    "a country that nobody has seen": ("trial", ["--programme", str(ANYWHERE)], ("guardians", "healers", "hearth")),
}


@pytest.mark.parametrize("shown", ["kafka", *(pytest.param(name, marks=pytest.mark.long) for name in DEMOS if name != "kafka")])
def test_the_demo_prints_her_timeline_as_each_agency_sees_it(shown: str, tmp_path: Path) -> None:
    broker, named, agencies = DEMOS[shown]
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("REFNET_", "KAFKA_"))}
    command = [sys.executable, "-m", "services.cli", "demo", "--once", "--broker", broker, *named]
    with block_of_ports() as port:
        done = subprocess.run(
            [*command, "--port", str(port)], env=kept | {"REFNET_HOME": str(tmp_path)}, capture_output=True, text=True, check=False,
            timeout=DEMO_DEADLINE_S,
        )  # fmt: skip
        left = subprocess.run(["pgrep", "-f", "--", f"--port {port + 1}"], capture_output=True, text=True, check=False).stdout
    assert done.returncode == 0, done.stderr
    for name in ("Police desk", "Clinic", "Social worker"):
        assert f"{name} — case" in done.stdout
    assert ("forgets everything" in done.stdout) == (broker == "trial")
    assert "referral.closed" in done.stdout
    assert not left
    users = [tmp_path / "demo" / "kafka" / agency / "password" for agency in agencies]
    assert [user.is_file() for user in users] == [broker == "kafka"] * len(users)  # the trial courier lets everybody do everything
    secret = [user.read_text().strip() for user in users if user.is_file()]
    logs = [(tmp_path / "demo" / f"{agency}.log").read_text() for agency in agencies]
    assert all("direct_line_open" in log for log in logs)
    broker_log = tmp_path / "demo" / "kafka" / "kafka.log"
    said = [done.stdout, done.stderr, *logs, *([broker_log.read_text()] if broker_log.exists() else [])]
    assert not any(word in one for word in secret for one in said)


def test_any_programme_with_the_three_kinds_of_agency_can_be_shown_and_another_says_what_it_lacks(tmp_path: Path) -> None:
    on_paper = tmp_path / "zm-on-paper.yaml"
    on_paper.write_text(
        "id: zm-on-paper\nname: An office on paper\nextends: zm-vsu-ec\n"
        "facilities:\n  district_office: {mode: paper, source: {mode: D}}\n"
        "  one_stop_welfare_desk: {mode: paper, source: {mode: D}}\n"
    )
    rwanda = cast_of("rw-gender-desk")
    assert (rwanda.language, rwanda.form) == ("rw", None)
    assert {kind: part.place for kind, part in rwanda.parts.items()} == {
        "police": "gender_desk_1", "health": "isange_centre_1", "social_welfare": "district_office_1",
    }  # fmt: skip
    assert cast_of(None).parts[AgencyKind.HEALTH].place == "ndola_clinic"
    with pytest.raises(RefnetError, match="not every two of health, police, social_welfare have a pathway"):
        cast_of(str(ANYWHERE.with_name("xx-quiet.yaml")))
    with pytest.raises(RefnetError, match="no social_welfare facility that is online offers psychosocial"):
        cast_of(str(on_paper))
    with pytest.raises(RefnetError, match="There is no programme"):
        cast_of("zm")


def test_a_programme_that_lists_an_oversight_body_is_shown_with_it_at_its_own_port(tmp_path: Path) -> None:
    file = tmp_path / "zm-overseen.yaml"
    file.write_text(
        "id: zm-overseen\nname: Overseen\nextends: zm-vsu-ec\n"
        "agencies: {oversight: {kind: oversight, name: National body, source: D}}\n"
    )
    cast = cast_of(str(file))
    ports = ports_by_kind(8000, cast.agencies)
    assert ports == {"police": 8001, "health": 8002, "social_welfare": 8003, "oversight": 8004}
    assert [pair for pair in cast.network.pairs if "oversight" in pair] == [
        ("health", "oversight"), ("oversight", "police"), ("oversight", "social_welfare"),
    ]  # fmt: skip
    assert [person.role for person in cast.people("oversight")] == ["supervisor"]
    assert set(cast_of(None).agencies) == {"police", "health", "social_welfare"}, "the demo itself stays as it is"
    lanes = {topic for topic in cast.network.topics() if "oversight" in topic}
    assert len(lanes) == 2 * 2 * 3


def test_a_demo_takes_nothing_from_one_that_runs(tmp_path: Path) -> None:
    database = tmp_path / "demo" / "police.db"
    database.parent.mkdir()
    database.write_text("of the one that runs")
    with alone(tmp_path / "demo", RUNS_ALREADY), pytest.MonkeyPatch.context() as patch:
        patch.setenv("REFNET_HOME", str(tmp_path))
        with pytest.raises(RefnetError, match="A demo runs already"):
            run_demo(programme=None, once=True, keep=False, broker="trial", port=free_port())
    assert database.read_text() == "of the one that runs"
    with socket.socket() as stranger, pytest.MonkeyPatch.context() as patch:
        stranger.bind(("127.0.0.1", 0))
        stranger.listen()
        patch.setenv("REFNET_HOME", str(tmp_path))
        with pytest.raises(RefnetError, match="cannot be used"):
            run_demo(programme=None, once=True, keep=False, broker="trial", port=stranger.getsockname()[1])
    assert database.read_text() == "of the one that runs"


def test_a_demo_never_speaks_to_a_stranger_on_its_port() -> None:
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", 0))
        stranger.listen()
        port = stranger.getsockname()[1]
        with pytest.raises(RefnetError, match=f"Port {port} .* cannot be used"):
            check_free([port], OTHER_PORTS)


class _Stranger(BaseHTTPRequestHandler):
    """Another demo: ready, and it knows none of our accounts."""

    def do_GET(self) -> None:
        """Answers."""
        self.send_response(200 if self.path == "/health/ready" else 401)
        self.end_headers()
        self.wfile.write(b'{"status": "ready"}')

    def log_message(self, *_: object) -> None:
        """Says nothing."""


def test_whoever_took_the_port_meanwhile_is_not_taken_for_ours(tmp_path: Path) -> None:
    cast = cast_of(None)
    with (
        HTTPServer(("127.0.0.1", 0), _Stranger) as stranger,
        subprocess.Popen([sys.executable, "-c", "input()"], stdin=PIPE) as ours,
    ):
        threading.Thread(target=stranger.serve_forever, daemon=True).start()
        port = stranger.server_address[1]
        stage = Stage(tmp_path, Broker("127.0.0.1:1", "trial", "trial"), cast.network, {"police": port}, cast.programme)
        made = {"police": [Account(new_id(), "rn_of_ours")]}
        with pytest.raises(RefnetError, match=f"Another program answers on port {port} of 127.0.0.1; end the demo that runs there"):
            wait_ready(stage, {"police": ours}, made, OTHER_PORTS)
        stranger.shutdown()
        assert ours.stdin is not None
        ours.stdin.close()
