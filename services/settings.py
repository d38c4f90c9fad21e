"""What the environment says, checked at start: a bad value stops the program with the variable's name and what was expected."""

import os
import re
import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.broker_users import user_of
from services.certificates import THROW_AWAY, files_of
from services.escrow import Escrow
from services.keys import Keys, make_missing
from services.locks import LOCK, lock_of
from shared.casework.directory.network import Network, load_network
from shared.exchange.access import Access
from shared.exchange.direct_tls import Credentials
from shared.exchange.seal import KeyedSeal
from shared.kit.clock import Clock, FileClock, SystemClock
from shared.kit.errors import RefnetError
from shared.kit.files import write_whole
from shared.kit.keystore import Keystore, WrappingKeys
from shared.kit.local.cache import held

BESIDE = "env"  # in a demo's folder: what a shell reads to reach that demo
SECRET_CHARACTERS_MIN = 32  # 128 bits in hexadecimal
# What each takes, in words, for whoever set it wrong.
TAKES = {
    "KAFKA_BOOTSTRAP_SERVERS": "host:port of a broker, several with commas and no blanks",
    "REFNET_KAFKA_USERNAME": "a user's name at the broker",
    "REFNET_KAFKA_PASSWORD": "that user's password",
    "REFNET_KAFKA_CA": "a file",
    "REFNET_KAFKA_CERT": "a file",
    "REFNET_KAFKA_KEY": "a file",
    "REFNET_DATABASE_URL": "postgresql://… or sqlite:///…",
    "REFNET_DATABASE_OWNER_URL": "postgresql://… or sqlite:///…",
    "REFNET_HOME": "a folder",
    "REFNET_NETWORK": "a file",
    "REFNET_PROGRAMME": "a programme's name",
    "REFNET_SECRET_KEY": f"{SECRET_CHARACTERS_MIN} or more characters",
    "REFNET_BASE_URL": "http:// or https:// with a host, and nothing after it",
    "REFNET_EXCHANGE_CA": "a file",
    "REFNET_EXCHANGE_CERT": "a file",
    "REFNET_EXCHANGE_KEY": "a file",
    "REFNET_EXCHANGE_HOST": "a host name or address",
    "REFNET_EXCHANGE_PORT": "a port from 1 to 65535",
    "REFNET_ESCROW": "a folder",
    "REFNET_LOG": "json or console",
    "REFNET_CLOCK": "system, or file: and a path",
    "REFNET_CRASH": "crash points, in a network for tests",
}
MADE_UP = frozenset({"demo", "simulation", "test"})  # the purposes for which time may be made up and processes killed


class Settings(BaseSettings):
    """The environment of one process. Fields are named after their variables."""

    model_config = SettingsConfigDict(extra="ignore", case_sensitive=True)

    kafka_bootstrap_servers: str | None = Field(None, validation_alias="KAFKA_BOOTSTRAP_SERVERS", pattern=r"^[^\s,]+(,[^\s,]+)*$")
    kafka_username: str | None = Field(None, validation_alias="REFNET_KAFKA_USERNAME")
    kafka_password: SecretStr | None = Field(None, validation_alias="REFNET_KAFKA_PASSWORD")
    kafka_ca: Path | None = Field(None, validation_alias="REFNET_KAFKA_CA")
    kafka_cert: Path | None = Field(None, validation_alias="REFNET_KAFKA_CERT")
    kafka_key: Path | None = Field(None, validation_alias="REFNET_KAFKA_KEY")
    database_url: SecretStr | None = Field(None, validation_alias="REFNET_DATABASE_URL")
    database_owner_url: SecretStr | None = Field(None, validation_alias="REFNET_DATABASE_OWNER_URL")
    home: Path = Field(Path(".refnet"), validation_alias="REFNET_HOME")
    network_file: Path | None = Field(None, validation_alias="REFNET_NETWORK")
    programme: str | None = Field(None, validation_alias="REFNET_PROGRAMME")
    secret_key: SecretStr | None = Field(None, validation_alias="REFNET_SECRET_KEY", min_length=SECRET_CHARACTERS_MIN)
    base_url: str | None = Field(None, validation_alias="REFNET_BASE_URL", pattern=r"^https?://[^\s/]+$")
    exchange_ca: Path | None = Field(None, validation_alias="REFNET_EXCHANGE_CA")
    exchange_cert: Path | None = Field(None, validation_alias="REFNET_EXCHANGE_CERT")
    exchange_key: Path | None = Field(None, validation_alias="REFNET_EXCHANGE_KEY")
    exchange_host: str = Field("127.0.0.1", validation_alias="REFNET_EXCHANGE_HOST", pattern=r"^[^\s/]+$")
    exchange_port: int | None = Field(None, validation_alias="REFNET_EXCHANGE_PORT", ge=1, le=65535)
    escrow_folder: Path | None = Field(None, validation_alias="REFNET_ESCROW")
    log: Literal["json", "console"] = Field("json", validation_alias="REFNET_LOG")
    clock_spec: str = Field("system", validation_alias="REFNET_CLOCK", pattern=r"^(system|file:.+)$")
    crash: str | None = Field(None, validation_alias="REFNET_CRASH")

    def network(self) -> Network:
        """The network file; raises RefnetError."""
        path = self.network_file or self.home / "network.yaml"
        if self.network_file is None and not path.exists():
            demo = self.home / "demo" / BESIDE
            reached = f" A demo was made here: `. {demo}` names its, for this shell." if demo.is_file() else ""
            raise RefnetError(f"REFNET_NETWORK is not set and there is no {path}; name the network file.{reached}")
        return load_network(path)

    def network_with(self, agency: str) -> Network:
        """The network file, where it names an agency; raises RefnetError."""
        network = self.network()
        if agency not in network.agencies:
            raise RefnetError(f"The network file has no agency '{agency}'; it has {', '.join(sorted(network.agencies))}.")
        return network

    def database(self, agency: str) -> str:
        """The application's database; in REFNET_HOME on SQLite where none is named."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        self.home.mkdir(parents=True, exist_ok=True)
        return f"sqlite:///{(self.home / f'{agency}.db').resolve()}"

    def wrapping(self, agency: str) -> WrappingKeys:
        """The keys under which those of the cases lie, in a folder apart from them and from the keys that sign."""
        return WrappingKeys(self.home / "wrapping" / agency, lock_of(self.home))

    def keystore(self, agency: str, wrapping: WrappingKeys | None = None) -> Keystore:
        """The keys of the agency's cases, beside the database and never in its backup. Nothing is opened yet."""
        return Keystore(self.home / "casekeys" / f"{agency}.db", (wrapping or self.wrapping(agency)).read)

    def to_shred(self, agency: str) -> tuple[Keystore, WrappingKeys]:
        """The same two for whoever destroys them: nothing is opened, so that no passphrase is asked of anybody. Whoever knows it
        may be away, or may be forced to say it."""
        wrapping = WrappingKeys(self.home / "wrapping" / agency)
        return self.keystore(agency, wrapping), wrapping

    def escrow(self, agency: str) -> Escrow:
        """The keys of held cases, for whoever a court sends: on another disk where REFNET_ESCROW names one."""
        return Escrow((self.escrow_folder or self.home / "escrow") / agency)

    def make_keystore(self, agency: str) -> None:
        """An empty keystore with its wrapping key, where there is neither; raises KeystoreAway."""
        with held(self.home / "keys.lock"):
            keys, wrapping = self.keystore(agency), self.wrapping(agency)
            assert keys.file is not None
            if not keys.file.exists():
                if not wrapping.read():
                    wrapping.make(datetime.now(UTC))
                keys.make()
                keys.close()

    def anchor(self, agency: str) -> Path:
        """The anchor's file: beside the database, never in its backup."""
        return self.home / f"{agency}.anchor"

    def owner_database(self, agency: str) -> str:
        """The database as its owner, who alone may change its tables."""
        return self.database_owner_url.get_secret_value() if self.database_owner_url else self.database(agency)

    def forgets(self) -> bool:
        """Whether the broker is the trial one, which forgets: every page says so."""
        return (self.home / "broker.forgets").is_file()

    def names_broker(self) -> bool:
        """Whether there is a broker to reach at all: a station may have none."""
        return bool(self.kafka_bootstrap_servers) or (self.home / "broker").is_file()

    def access(self, agency: str | None = None, purpose: str | None = None) -> Access:
        """The broker as an agency reaches it: as the environment names it, else with what `refnet provision` left for that agency
        in REFNET_HOME, else as the demo on this machine left its address. For a production network never in plain text."""
        servers = self.kafka_bootstrap_servers
        left = self.home / "broker"
        if servers is None and left.is_file():
            servers = left.read_text().strip()
        if not servers:
            raise RefnetError("KAFKA_BOOTSTRAP_SERVERS is not set; name the broker as host:port.")
        username, ca = self.kafka_username, self.kafka_ca
        password = self.kafka_password.get_secret_value() if self.kafka_password else None
        if (username is None) != (password is None):
            raise RefnetError("REFNET_KAFKA_USERNAME and REFNET_KAFKA_PASSWORD go together; set both or neither.")
        if agency is not None and username is None and self.kafka_cert is None:
            user = user_of(self.home, agency)
            username, password = user.name_and_password()
            ca = ca or user.ca()
        if ca is None and purpose == "production":
            raise RefnetError(
                "REFNET_KAFKA_CA is not set; a production network reaches its broker over TLS only, so name its authority's file."
            )
        return Access(servers, username, password, ca, self.kafka_cert, self.kafka_key)

    def credentials(self, agency: str, purpose: str) -> Credentials | None:
        """An agency's files for its direct line: as named, or as `refnet certificates` left them; None where there are none."""
        found = self._credentials_here(agency)
        if found is None:
            return None
        if found.agency() != agency:
            raise RefnetError(f"REFNET_EXCHANGE_CERT does not name '{agency}', or not alone; take the certificate made for it.")
        if purpose == "production" and found.authority() == THROW_AWAY:
            raise RefnetError("REFNET_EXCHANGE_CA is a throw-away authority; a production network needs certificates of its own.")
        return found

    def holds_credentials(self, agency: str) -> bool:
        """Whether this agency's own files for its direct line are here; raises RefnetError where they cannot be read."""
        found = self._credentials_here(agency)
        return found is not None and found.agency() == agency

    def _credentials_here(self, agency: str) -> Credentials | None:
        if self.exchange_ca and self.exchange_cert and self.exchange_key:
            return Credentials(self.exchange_ca, self.exchange_cert, self.exchange_key)
        if self.exchange_ca or self.exchange_cert or self.exchange_key:
            raise RefnetError("REFNET_EXCHANGE_CA, _CERT and _KEY go together; set all three or none.")
        found = files_of(self.home, agency)
        return found if found.cert.is_file() else None

    def pins(self, agency: str, network: Network) -> dict[str, str | None]:
        """The fingerprints that the network file pins, of an agency's root and its peers'."""
        return {name: network.agencies[name].root for name in (agency, *network.peers_of(agency))}

    def seal(self, agency: str, network: Network) -> KeyedSeal:
        """The seal under an agency's keys; for everything made up they are made where there are none. Raises RefnetError."""
        if network.purpose in MADE_UP:
            make_missing(self.home, network.agencies, datetime.now(UTC))
        keys = Keys(self.home, agency, self.pins(agency, network))
        return KeyedSeal(keys.load(), keys.renewed)

    def secret(self, agency: str, purpose: str) -> bytes:
        """This agency's own secret: named in production, made once in REFNET_HOME for everything made up."""
        if self.secret_key is not None:
            return self.secret_key.get_secret_value().encode()
        path = self.home / f"{agency}.secret"
        if (self.home / LOCK).is_file() and path.is_file():
            return lock_of(self.home).open(path.read_bytes())
        if purpose not in MADE_UP:
            raise RefnetError(
                f"REFNET_SECRET_KEY is not set; a {purpose} network needs {SECRET_CHARACTERS_MIN} or more characters."
            )
        if not path.exists() or not path.stat().st_size:  # empty: a process that made it died before it wrote
            with held(self.home / "keys.lock"):
                if not path.exists() or not path.stat().st_size:
                    write_whole(path, secrets.token_hex(SECRET_CHARACTERS_MIN).encode())
        return path.read_bytes()

    def stays_here(self) -> bool:
        """Whether the pages are for a browser on this machine alone: what it reads leaves the machine by no wire."""
        return re.fullmatch(r"http://(127\.0\.0\.1|localhost)(:[0-9]{1,5})?", self.base_url or "") is not None

    def is_secure(self, purpose: str, *, is_station: bool = False) -> bool:
        """Whether browsers reach the pages over https, and cookies may say so; raises RefnetError where real people's would not.
        A station may serve the one browser of its own machine."""
        found = (self.base_url or "").startswith("https://")
        if purpose == "production" and not found and not (is_station and self.stays_here()):
            raise RefnetError("REFNET_BASE_URL is not an https address; a production network's pages are never served without it.")
        return found

    def clock(self, purpose: str) -> Clock:
        """The clock; a file clock is refused for anything real."""
        if self.clock_spec == "system":
            return SystemClock()
        if purpose not in MADE_UP:
            raise RefnetError(f"REFNET_CLOCK may not name a file in a {purpose} network; leave it out.")
        return FileClock(Path(self.clock_spec.removeprefix("file:")))

    def crash_points(self, purpose: str) -> str | None:
        """The crash points to arm, which only a test network may."""
        if self.crash and purpose != "test":
            raise RefnetError("REFNET_CRASH is for networks whose purpose is 'test'; leave it out.")
        return self.crash


def variables_of(access: Access) -> dict[str, str]:
    """The environment of a process that reaches the broker in this way."""
    said = {
        "KAFKA_BOOTSTRAP_SERVERS": access.bootstrap_servers, "REFNET_KAFKA_USERNAME": access.username,
        "REFNET_KAFKA_PASSWORD": access.password, "REFNET_KAFKA_CA": access.ca, "REFNET_KAFKA_CERT": access.cert,
        "REFNET_KAFKA_KEY": access.key,
    }  # fmt: skip
    return {name: str(value) for name, value in said.items() if value is not None}


def load_settings() -> Settings:
    """Reads the environment; raises RefnetError with the variable's name."""
    try:
        settings = Settings()
    except ValidationError as error:
        name = str(error.errors()[0]["loc"][0])
        raise RefnetError(f"{name} is not valid; it takes {TAKES[name]}.") from None
    for name, folder in (("REFNET_HOME", settings.home), ("REFNET_ESCROW", settings.escrow_folder)):
        lies = next((one for one in (folder, *folder.parents) if os.path.lexists(one)), None) if folder is not None else None
        if lies is not None and not lies.is_dir():
            raise RefnetError(f"{name} names {folder}, and {lies} is no folder; name another.")
    return settings
