"""`refnet certificates`: a throw-away authority, and one certificate an agency for its direct line; or those of a trial's broker.

Whoever holds the authority's key can make itself any agency of the network, so a production network brings its own authority.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from shared.exchange.direct_tls import Credentials
from shared.kit.certificates import Authority, Certificate, good_until, names_in
from shared.kit.errors import RefnetError
from shared.kit.files import write_together
from shared.kit.local.kafka_certificates import BROKER, OPERATOR, BrokerFiles

THROW_AWAY = "refnet throw-away authority"  # its name, by which a production network knows it and refuses it
AUTHORITY_LASTS = timedelta(days=730)
LASTS = timedelta(days=365)
RENEW_BEFORE = timedelta(days=30)  # what ends sooner is made anew
_AUTHORITY = ".authority"  # no agency's id begins with a dot


def files_of(home: Path, agency: str) -> Credentials:
    """Where an agency's files lie, made or not."""
    folder = home / "tls" / agency
    return Credentials(folder / "ca.pem", folder / "cert.pem", folder / "key.pem")


def make_certificates(
    home: Path, agencies: Iterable[str], purpose: str, now: datetime, *, authority: Path | None = None
) -> list[str]:
    """Makes what is missing, ends soon or is another authority's, and returns whose; a second call makes nothing.

    `authority` is a folder with the ca.pem and ca.key.pem of the operator's own. Raises RefnetError.
    """
    if purpose == "production" and authority is None:
        raise RefnetError(
            "A production network has no throw-away authority; give your own with --authority, or set"
            " REFNET_EXCHANGE_CA, _CERT and _KEY."
        )
    try:
        signer = _read_authority(authority) if authority else _own_authority(home / "tls" / _AUTHORITY, now)
        return [agency for agency in agencies if _make(files_of(home, agency), agency, signer, now)]
    except OSError as error:
        raise RefnetError(
            f"{error.filename or home} cannot be used ({error.strerror}); correct REFNET_HOME or its rights."
        ) from error


def make_broker_certificates(home: Path, hosts: Sequence[str], purpose: str, now: datetime) -> list[str]:
    """Makes a throw-away authority for a trial's broker that is reached at `hosts`, what it reads, open to a container of its own,
    and what its operator shows; returns whose were made, and a second call makes nothing. Raises RefnetError."""
    if purpose == "production":
        raise RefnetError("A production network's broker has no throw-away authority; its operator brings certificates of its own.")
    try:
        made = broker_files(home).make(hosts, now, for_container=True)
    except OSError as error:
        raise RefnetError(
            f"{error.filename or home} cannot be used ({error.strerror}); correct REFNET_HOME or its rights."
        ) from error
    return [BROKER, OPERATOR] if made else []


def broker_files(home: Path) -> BrokerFiles:
    """Where a trial's broker has its files, made or not."""
    return BrokerFiles(home / "kafka" / ".broker")  # no agency's id begins with a dot


def _own_authority(folder: Path, now: datetime) -> Authority:
    cert, key = folder / "ca.pem", folder / "ca.key.pem"
    if cert.is_file() and key.is_file():
        found = Authority(Certificate(cert.read_bytes(), key.read_bytes()))
        if _is_good(found, found.pair, now):
            return found
    made = Authority.make(THROW_AWAY, now, AUTHORITY_LASTS)
    write_together({key: made.pair.key, cert: made.pair.cert})
    return made


def _read_authority(folder: Path) -> Authority:
    try:
        found = Authority(Certificate((folder / "ca.pem").read_bytes(), (folder / "ca.key.pem").read_bytes()))
    except OSError as error:
        raise RefnetError(
            f"{error.filename} cannot be read ({error.strerror}); --authority takes a folder with ca.pem and ca.key.pem."
        ) from error
    if not found.made(found.pair):
        raise RefnetError(f"{folder} holds no ca.pem with the ca.key.pem that fits it, both as PEM without a password.")
    return found


def _make(files: Credentials, agency: str, signer: Authority, now: datetime) -> bool:
    if all(file.is_file() for file in (files.ca, files.cert, files.key)) and files.ca.read_bytes() == signer.pair.cert:
        held = Certificate(files.cert.read_bytes(), files.key.read_bytes())
        if _is_good(signer, held, now) and agency in names_in(held.cert)[1]:
            return False
    made = signer.issue(agency, now, LASTS)
    write_together({files.key: made.key, files.cert: made.cert, files.ca: signer.pair.cert})
    return True


def _is_good(signer: Authority, held: Certificate, now: datetime) -> bool:
    return signer.made(held) and good_until(held.cert) - now > RENEW_BEFORE
