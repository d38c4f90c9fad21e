"""Who is who on a Kafka that we start: a throw-away authority, the broker's own certificate, and its operator's.

The two names have a hyphen, which no agency's id may have: nobody who is let in as an agency can be taken for either.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from shared.kit.certificates import Authority, Certificate, addresses_in, good_until
from shared.kit.files import EVERYBODY, OWNER_ONLY, write_whole
from shared.kit.local.ports import LOOPBACK

BROKER, OPERATOR = "refnet-broker", "refnet-operator"  # the super users, by their certificates' common names
AUTHORITY = "refnet throw-away broker authority"
LASTS = timedelta(days=365)
FOR_CONTAINER = 0o755
RENEW_BEFORE = timedelta(days=30)  # what ends sooner is made anew at the next start, with everything under it


@dataclass(frozen=True, slots=True)
class Operator:
    """How its operator reaches a broker that we started: addresses that take certificates, and the files to show there."""

    bootstrap_servers: str
    ca: Path
    cert: Path
    key: Path


@dataclass(frozen=True, slots=True)
class BrokerFiles:
    """The files of one node or one cluster, all PEM, in three folders for three holders: the authority's key, which nobody needs
    every day; what the broker reads; and what its operator shows. Each is its owner's alone, unless a container is to read it."""

    folder: Path

    @property
    def ca(self) -> Path:
        """Whom every end trusts."""
        return self.folder / "broker" / "ca.pem"

    @property
    def broker(self) -> Path:
        """The broker's key and certificate in one file, as Kafka reads them."""
        return self.folder / "broker" / "broker.pem"

    def operator(self, bootstrap_servers: str) -> Operator:
        """The operator's way in, at these addresses."""
        held = self.folder / "operator"
        return Operator(bootstrap_servers, held / "ca.pem", held / "cert.pem", held / "key.pem")

    def authority(self) -> Authority:
        """The throw-away authority, to issue more under it."""
        return Authority(Certificate(self._own("ca.pem").read_bytes(), self._own("ca.key.pem").read_bytes()))

    def make(self, addresses: Sequence[str] = (), now: datetime | None = None, *, for_container: bool = False) -> bool:
        """Makes everything unless it is there, for clients that reach the broker at the loopback or these `addresses`; says whether
        it did. A container's own user is nobody here: what the broker reads is then open, within a folder that is not."""
        now, wanted = now or datetime.now(UTC), {LOOPBACK, "localhost", *addresses}
        if self._are_good(wanted, now):
            return False
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        authority = Authority.make(AUTHORITY, now, LASTS)
        operator, broker = authority.issue(OPERATOR, now, LASTS), authority.issue(BROKER, now, LASTS, sorted(wanted))
        files, ca = self.operator(""), authority.pair.cert
        for file, content in (
            (self._own("ca.key.pem"), authority.pair.key), (self._own("ca.pem"), ca), (files.ca, ca),
            (files.key, operator.key), (files.cert, operator.cert),
        ):  # fmt: skip
            write_whole(file, content)
        for file, content in ((self.ca, ca), (self.broker, broker.key + broker.cert)):
            write_whole(file, content, EVERYBODY if for_container else OWNER_ONLY)
        if for_container:
            self.broker.parent.chmod(FOR_CONTAINER)
        return True

    def _own(self, name: str) -> Path:
        return self.folder / "authority" / name

    def _are_good(self, addresses: set[str], now: datetime) -> bool:
        if not self.broker.is_file():  # the last that is written
            return False
        cert = self.broker.read_bytes()
        return good_until(cert) - now > RENEW_BEFORE and addresses <= set(addresses_in(cert))
