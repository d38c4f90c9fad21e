"""Agencies in network namespaces of their own, between which lines are cut, silently and in one direction where a test likes.

Each has two lines: one to the bridge, at which broker and peers are, and one to its desk, which is never cut. Root is needed.
"""

import secrets
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from processes import ProcessNetwork
from servers import Kafka
from walls import Wall

from shared.kit.local.ports import LOOPBACK
from shared.kit.local.postgres import PostgresCluster

NOWHERE = "02:00:00:00:0b:ad"  # a hardware address that nobody has: what is sent there is lost without a word


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


class Islands:
    """The bridge and the namespaces; `town.N` are addresses on the bridge, 1 is this machine's."""

    def __init__(self, kinds: tuple[str, ...]) -> None:
        self._tag = secrets.token_hex(3)
        self._net = secrets.randbelow(200) + 20
        self.number = {kind: number for number, kind in enumerate(kinds, start=2)}

    @property
    def bridge(self) -> str:
        return f"rf{self._tag}"

    def space(self, kind: str) -> str:
        return f"refnet-{self._tag}-{self.number[kind]}"

    def town(self, number: int) -> str:
        return f"10.213.{self._net}.{number}"

    @property
    def desks(self) -> str:
        return f"10.214.{self._net}.0"

    def desk(self, kind: str, end: int) -> str:
        return f"10.214.{self._net}.{self.number[kind] * 4 + end}"

    def make(self) -> None:
        _ip("link", "add", self.bridge, "type", "bridge")
        _ip("address", "add", f"{self.town(1)}/24", "dev", self.bridge)
        _ip("link", "set", self.bridge, "up")
        for kind, number in self.number.items():
            space = self.space(kind)
            _ip("netns", "add", space)
            _ip("-n", space, "link", "set", "lo", "up")
            self._wire(space, f"{self.bridge}t{number}", "town", f"{self.town(number)}/24")
            _ip("link", "set", f"{self.bridge}t{number}", "master", self.bridge)
            self._wire(space, f"{self.bridge}d{number}", "desk", f"{self.desk(kind, 2)}/30")
            _ip("address", "add", f"{self.desk(kind, 1)}/30", "dev", f"{self.bridge}d{number}")

    @staticmethod
    def _wire(space: str, here: str, there: str, address: str) -> None:
        _ip("link", "add", here, "type", "veth", "peer", "name", there, "netns", space)
        _ip("link", "set", here, "up")
        _ip("-n", space, "address", "add", address, "dev", there)
        _ip("-n", space, "link", "set", there, "up")

    def remove(self) -> None:
        for kind in self.number:
            subprocess.run(["ip", "netns", "delete", self.space(kind)], check=False, capture_output=True)
        subprocess.run(["ip", "link", "delete", self.bridge], check=False, capture_output=True)

    # --- what is cut: each returns how to mend it ---------------------------------------------------------------------------

    @contextmanager
    def cut_off(self, kind: str) -> Iterator[None]:
        """Nothing reaches an agency from broker or peers, and nothing leaves it."""
        wire = f"{self.bridge}t{self.number[kind]}"
        _ip("link", "set", wire, "down")
        try:
            yield
        finally:
            _ip("link", "set", wire, "up")

    @contextmanager
    def deaf(self, kind: str) -> Iterator[None]:
        """What broker and peers say to an agency is lost; what that says arrives."""
        with ExitStack() as lost:
            lost.enter_context(self._lost([], self.town(self.number[kind]), self.bridge))
            for peer in self.number.keys() - {kind}:
                lost.enter_context(self.dumb(peer, towards=kind))
            yield

    @contextmanager
    def mute(self, kind: str) -> Iterator[None]:
        """What an agency says to broker and peers is lost; what is said to it arrives."""
        with ExitStack() as lost:
            for towards in (None, *(self.number.keys() - {kind})):
                lost.enter_context(self.dumb(kind, towards))
            yield

    @contextmanager
    def dumb(self, kind: str, towards: str | None = None) -> Iterator[None]:
        """What an agency says to the broker, or to a peer, is lost; what is said to it arrives."""
        with self._lost(["-n", self.space(kind)], self.town(self.number[towards] if towards else 1), "town"):
            yield

    @contextmanager
    def _lost(self, where: list[str], address: str, device: str) -> Iterator[None]:
        _ip(*where, "neighbour", "replace", address, "lladdr", NOWHERE, "dev", device, "nud", "permanent")
        try:
            yield
        finally:
            _ip(*where, "neighbour", "delete", address, "dev", device)


class IslandNetwork(ProcessNetwork):
    """Agencies whose processes each run in their own namespace."""

    def __init__(self, home: Path, kafka: Kafka, unique: str, urls: dict[str, str], islands: Islands) -> None:
        self.islands = islands
        super().__init__(home, kafka, unique, urls)
        self.lay_direct_lines()
        self.more = {kind: {"REFNET_EXCHANGE_HOST": self.exchange_host(kind)} for kind in self.names}

    def go_by(self, wall: Wall) -> None:
        """All have one clock, which somebody sets."""
        for kind in self.names:
            self.more[kind] |= wall.environment

    def host(self, kind: str) -> str:
        return self.islands.desk(kind, 2)

    def exchange_host(self, kind: str) -> str:
        return self.islands.town(self.islands.number[kind])

    def within(self, kind: str) -> list[str]:
        return ["ip", "netns", "exec", self.islands.space(kind)]


@contextmanager
def postgresql_at_desks(town: Islands, kinds: Sequence[str]) -> Iterator[PostgresCluster]:
    """A PostgreSQL that these agencies reach by the line to their desk, which is never cut; `at_desk` has their addresses."""
    with tempfile.TemporaryDirectory(prefix="refnet-islands-") as folder:
        rules = Path(folder) / "pg_hba.conf"
        rules.write_text("".join(f"host all all {address} trust\n" for address in (f"{LOOPBACK}/32", f"{town.desks}/24")))
        for readable, mode in ((rules.parent, 0o755), (rules, 0o644)):  # by the server's own user
            readable.chmod(mode)
        listens = ",".join([LOOPBACK, *(town.desk(kind, 1) for kind in kinds)])
        with PostgresCluster(fsync=False, settings={"listen_addresses": listens, "hba_file": str(rules)}) as cluster:
            yield cluster


def at_desk(town: Islands, kind: str, url: str) -> str:
    """A database's address as an agency reaches it by the line to its desk."""
    return url.replace(f"@{LOOPBACK}:", f"@{town.desk(kind, 1)}:")


@contextmanager
def islands(kinds: tuple[str, ...]) -> Iterator[Islands]:
    """Made by the test, and removed by it."""
    made = Islands(kinds)
    try:
        made.make()
        yield made
    finally:
        made.remove()
