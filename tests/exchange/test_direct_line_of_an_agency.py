"""An agency on its direct line: which of its processes listens, what `refnet doctor` finds, and what the peers' page says."""

import asyncio
import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
import yaml
from direct_ends import Memory, listening
from processes import KINDS, Process, ProcessNetwork, free_port, until
from servers import Kafka

from services.certificates import files_of, make_certificates
from services.doctor import examine
from services.keys import KeyFolder, load_keyring
from services.runtime import build
from shared.casework.lines.views import peers
from shared.exchange.access import Access
from shared.exchange.direct import DirectLine, LineAway
from shared.exchange.direct_tls import Credentials
from shared.exchange.directories import take_lines
from shared.exchange.directory import Directory
from shared.exchange.seal import KeyedSeal
from shared.kit.certificates import Authority, Certificate

DAY = timedelta(days=1)


class Town(ProcessNetwork):
    """Three agencies with certificates, SQLite databases and addresses for their direct lines; no broker answers."""

    def __init__(self, home: Path, unique: str) -> None:
        nobody = f"127.0.0.1:{free_port()}"
        super().__init__(home, Kafka(nobody, Access(nobody)), unique, {kind: f"sqlite:///{home / kind}.db" for kind in KINDS})
        self.now = datetime.now(UTC)
        self.ports = {kind: free_port() for kind in KINDS}
        self.addresses({kind: f"https://127.0.0.1:{port}" for kind, port in self.ports.items()})
        make_certificates(home, self.names.values(), "test", self.now)

    def addresses(self, urls: dict[str, str]) -> None:
        """Writes the network file with these and no others."""
        content = yaml.safe_load(self.file.read_text())
        for kind in KINDS:
            content["agencies"][self.names[kind]]["exchange_url"] = urls.get(kind)
        self.file.write_text(yaml.safe_dump(content))

    def files(self, kind: str) -> Credentials:
        """An agency's own."""
        return files_of(self.home, self.names[kind])

    def give(self, kind: str, lasts: timedelta, *, named: str | None = None, authority: Authority | None = None) -> Credentials:
        """Another certificate for an agency; one that lasts less than nothing has expired."""
        folder, files = self.home / "tls" / ".authority", self.files(kind)
        own = Authority(Certificate((folder / "ca.pem").read_bytes(), (folder / "ca.key.pem").read_bytes()))
        pair = (authority or own).issue(named or self.names[kind], self.now, lasts)
        files.cert.write_bytes(pair.cert)
        files.key.write_bytes(pair.key)
        return files

    async def found(self, kind: str) -> dict[str, bool]:
        """What the doctor finds on an agency's direct lines."""
        own = f"{self.names[kind]}: "
        findings = {f["words"]: f["ok"] for f in await examine(self.settings(kind))}
        return {words.removeprefix(own): ok for words, ok in findings.items() if words.startswith(own) and "schema" not in words}


@pytest.fixture
def town(tmp_path: Path, unique: str) -> Town:
    return Town(tmp_path, unique)


async def test_the_doctor_says_which_line_answers_and_why_another_does_not(town: Town) -> None:
    police, health, welfare = (town.names[kind] for kind in KINDS)
    async with listening(Memory(health), town.files("health"), (police, welfare)) as url:
        town.addresses({"police": "https://127.0.0.1:1", "health": url, "social_welfare": f"https://127.0.0.1:{free_port()}"})
        found = await town.found("police")
        assert found.pop(f"the direct line to {health} answers.") is True
        ((words, ok),) = found.items()
        assert ok is False
        assert words.startswith(f"{welfare} at 127.0.0.1:")
        assert words.endswith("refuses the connection; start its worker, or correct its exchange_url.")
        town.addresses({"police": "https://127.0.0.1:1", "health": url})
        assert (await town.found("police"))[f"there is no direct line to {welfare}, so everything goes over the broker."] is True
        town.give("police", 20 * DAY)
        words = f"its certificate for the direct line ends on {town.now + 20 * DAY:%Y-%m-%d}; renew it and start its workers again."
        assert (await town.found("police"))[words] is False


@pytest.mark.parametrize(
    ("shown", "words"),
    [
        ("expired", "shows a certificate that has expired; its operator must renew it"),
        ("another", "shows a certificate of another name; correct its exchange_url, or REFNET_EXCHANGE_CERT there"),
        ("stranger", "shows a certificate that our REFNET_EXCHANGE_CA has not signed; take the same authority at both ends"),
        (
            "not paired",
            "is not paired with the agency that our certificate names; correct its network file, or our REFNET_EXCHANGE_CERT",
        ),
    ],
)
async def test_the_doctor_names_what_is_wrong_with_the_other_end(town: Town, shown: str, words: str) -> None:
    police, health, welfare = (town.names[kind] for kind in KINDS)
    if shown == "expired":
        town.give("health", -timedelta(hours=1))
    elif shown == "another":
        town.give("health", DAY, named=welfare)
    elif shown == "stranger":
        town.give("health", DAY, authority=Authority.make("somebody's", town.now, DAY))
    async with listening(Memory(health), town.files("health"), (welfare if shown == "not paired" else police,)) as url:
        town.addresses({"police": "https://127.0.0.1:1", "health": url})
        assert (await town.found("police"))[f"{health} at {url.removeprefix('https://')} {words}."] is False


async def test_without_a_certificate_the_doctor_says_how_to_get_one(town: Town) -> None:
    for kind in KINDS:
        town.files(kind).cert.unlink()
    findings = {f["words"]: f["ok"] for f in await examine(town.settings("police"))}
    words = (
        "There is no certificate here for the direct line; run `refnet certificates`, or set REFNET_EXCHANGE_CA, _CERT and _KEY."
    )
    assert findings[words] is False
    town.addresses({})
    assert words not in {f["words"] for f in await examine(town.settings("police"))}


async def test_a_pair_without_a_direct_line_is_said_on_its_page(town: Town) -> None:
    town.addresses({"police": "https://127.0.0.1:1", "health": "https://127.0.0.1:2"})
    await town.set_up(topics=False)
    made = build(town.settings("police"), town.names["police"])
    async with made.database.read() as tx:
        lines = {view.agency: view for view in await peers(tx, made.here)}
    await made.database.close()
    assert {kind: lines[town.names[kind]].has_direct_line for kind in ("health", "social_welfare")} == {
        "health": True,
        "social_welfare": False,
    }
    assert lines[town.names["social_welfare"]].words.endswith("There is no direct line to it.")
    assert "direct line" not in lines[town.names["health"]].words


@pytest.mark.parametrize("lost", ["our own", "a peer's"])
def test_a_comparison_without_a_key_says_which_and_what_to_do(town: Town, lost: str) -> None:
    asyncio.run(town.set_up(topics=False))
    police, health, welfare = (town.names[kind] for kind in KINDS)
    town.seal(police)  # its keys are made
    if lost == "our own":
        for file in KeyFolder(town.home, police).private.glob("sign-*.json"):
            file.unlink()
        words = f"{police} has no signing key here that is not revoked; bring its keys back, or run `refnet keys rotate {police}`."
    else:
        directory = Directory(health, KeyFolder(town.home, health).own().root)
        KeyFolder(town.home, health).save(directory)  # its owner has told us the root and no key yet
        words = f"No key of {health} is known here to seal to; take its directories/{health}.json from its owner."
    done = town.refnet("police", "reconcile", police, "--json")
    assert (done.returncode, done.stderr) == (1, "")
    said = {report["peer"]: report["away"] for report in json.loads(done.stdout)["peers"]}
    assert said.keys() == {health, welfare}  # one without a key keeps no other from being compared
    assert said[health] == words
    if lost == "a peer's":
        assert "refuses the connection" in said[welfare]


def test_a_comparison_by_hand_knows_what_letters_have_told_of_keys(town: Town) -> None:
    """The file alone may name none but a key that is destroyed."""
    asyncio.run(town.set_up(topics=False))
    police, health = town.names["police"], town.names["health"]
    town.seal(police)
    told = KeyFolder(town.home, health).own().told_to(police, 1)
    KeyFolder(town.home, health).save(Directory(health, KeyFolder(town.home, health).own().root))

    async def letter() -> None:
        agency = build(town.settings("police"), police)
        await take_lines(agency.database, KeyedSeal(load_keyring(town.home, police, {police: None, health: None})), health,
                         told.to_bytes())  # fmt: skip
        await agency.database.close()

    asyncio.run(letter())
    done = town.refnet("police", "reconcile", police, "--json")
    said = {report["peer"]: report["away"] for report in json.loads(done.stdout)["peers"]}
    assert "refuses the connection" in said[health]


def answers(town: Town, line: DirectLine) -> bool:
    async def look() -> bool:
        try:
            await line.look(town.names["police"])
        except LineAway:
            return False
        finally:
            await line.close()
        return True

    return asyncio.run(look())


def test_a_worker_listens_beside_its_other_work_and_never_where_users_come(town: Town) -> None:
    asyncio.run(town.set_up(topics=False))
    line = DirectLine({town.names["police"]: f"https://127.0.0.1:{town.ports['police']}"}, town.files("health"))
    serve, worker = Process(town, "police", "serve"), Process(town, "police", "worker")
    serve.start()
    try:
        until(lambda: answers(town, line), "the serving process to answer")
        for path in ("/exchange/v1/line", "/exchange/v1/events", "/exchange/v1/statements"):
            assert httpx.get(f"http://127.0.0.1:{serve.port}{path}", trust_env=False).status_code == 404
        worker.start()
        until(lambda: "direct_line_elsewhere" in worker.last_words(), "the worker to find the port held")
        assert serve.stop() == 0
        until(lambda: answers(town, line), "the worker to take it over")
        assert worker.stop() == 0
        assert not answers(town, line)
    finally:
        serve.close()
        worker.close()


def test_a_direct_line_on_the_users_port_keeps_the_process_from_starting(town: Town) -> None:
    asyncio.run(town.set_up(topics=False))
    port = town.ports["police"]
    command = [sys.executable, "-m", "services.cli", "serve", town.names["police"], "--port", str(port)]
    done = subprocess.run(command, env=town.environment("police"), capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert done.stderr.strip() == (
        f"refnet: Port {port} is the pages'; the direct line needs one of its own, in exchange_url or REFNET_EXCHANGE_PORT."
    )
