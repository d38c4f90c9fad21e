"""Why a broker cannot be used, in one sentence that says what to do.

aiokafka hides most reasons behind "connection closed", because TLS 1.3 tells a client of its certificate's refusal only after the
handshake. So whoever was not let in knocks once more, by hand, and listens to what is said.
"""

import asyncio
import socket
import ssl
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from shared.kit.certificates import good_until

KNOCK_TIMEOUT_S = 2.0  # for one address; a broker that lives answers in a few milliseconds
LISTEN_S = 1.0  # for a refusal after the handshake; whoever is let in hears nothing, for the first word is a client's
EXPIRED, OTHER_NAME = 10, (62, 64)  # OpenSSL's: the certificate's time is over; it is for another name, or another IP address


class Way(Protocol):
    """How the broker was to be reached."""

    @property
    def bootstrap_servers(self) -> str: ...
    @property
    def servers(self) -> Sequence[str]: ...
    @property
    def username(self) -> str | None: ...
    @property
    def ca(self) -> Path | None: ...
    @property
    def cert(self) -> Path | None: ...
    def context(self) -> ssl.SSLContext | None: ...


async def why_not(way: Way, overheard: str) -> str:
    """The sentence; `overheard` is what aiokafka logged."""
    where = way.bootstrap_servers
    if "SaslAuthenticationFailed" in overheard or "invalid credentials" in overheard:
        return (
            f"The broker at {where} refuses the user '{way.username}' or its password;"
            " correct REFNET_KAFKA_USERNAME and REFNET_KAFKA_PASSWORD, or what lies in REFNET_HOME/kafka."
        )
    if way.cert is not None and (ended := _ended(way.cert)):
        return f"The certificate {way.cert} ended on {ended:%Y-%m-%d}; put a new one in its place, with its key."
    said = await asyncio.to_thread(_knock, way)
    return said or f"No broker answers at {where}; start it, or correct KAFKA_BOOTSTRAP_SERVERS. Events wait here until it does."


def _ended(cert: Path) -> datetime | None:
    """When a certificate ended that has; by the machine's clock, as TLS reads it. A file that is none was refused before."""
    ends = good_until(cert.read_bytes())
    return ends if ends < datetime.now(UTC) else None


def _knock(way: Way) -> str | None:
    """What the first broker that opens its door has against us, None where none opens or it has nothing."""
    for server in way.servers:
        host, _, port = server.rpartition(":")
        try:
            with socket.create_connection((host.strip("[]"), int(port)), KNOCK_TIMEOUT_S) as line:
                return _said(way, server, host.strip("[]"), line)
        except (OSError, ValueError):
            continue
    return None


def _said(way: Way, server: str, host: str, line: socket.socket) -> str | None:
    context = way.context()
    if context is None:
        return TLS_ONLY.format(server=server) if _speaks_tls(line) else None
    try:
        with context.wrap_socket(line, server_hostname=host) as secured:
            secured.settimeout(LISTEN_S)
            try:
                secured.recv(1)
            except TimeoutError:
                return NO_USER.format(server=server) if way.username is None else None
    except ssl.SSLCertVerificationError as error:
        if error.verify_code == EXPIRED:
            return BROKER_ENDED.format(server=server)
        told = OTHER_ADDRESS if error.verify_code in OTHER_NAME else UNKNOWN_AUTHORITY
        return told.format(server=server, host=host, ca=way.ca)
    except ssl.SSLError as error:
        return _alert(error.reason or "", server, way)
    return None


def _alert(reason: str, server: str, way: Way) -> str | None:
    """What a broker's TLS alert means to us."""
    if "WRONG_VERSION_NUMBER" in reason:
        return NO_TLS.format(server=server)
    if "CERTIFICATE" not in reason and "UNKNOWN_CA" not in reason and "HANDSHAKE_FAILURE" not in reason:
        return None
    return (CERTIFICATE_WANTED if way.cert is None else CERTIFICATE_REFUSED).format(server=server, cert=way.cert)


def _speaks_tls(line: socket.socket) -> bool:
    """Whether there is TLS at all; nothing is said on this line, so it matters to nobody whose certificate it shows."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with context.wrap_socket(line):
            return True
    except OSError:
        return False


TLS_ONLY = (
    "The broker at {server} speaks TLS alone; set REFNET_KAFKA_CA, or put the folder that `refnet provision` made for this agency"
    " into REFNET_HOME/kafka."
)
NO_TLS = "The broker at {server} speaks no TLS; leave REFNET_KAFKA_CA out, or correct KAFKA_BOOTSTRAP_SERVERS."
NO_USER = (
    "The broker at {server} lets in only who has a password; set REFNET_KAFKA_USERNAME and REFNET_KAFKA_PASSWORD, or name its"
    " address for certificates in KAFKA_BOOTSTRAP_SERVERS."
)
CERTIFICATE_WANTED = (
    "The broker at {server} lets in only who shows a certificate; set REFNET_KAFKA_CERT and REFNET_KAFKA_KEY, or name its address"
    " for passwords in KAFKA_BOOTSTRAP_SERVERS."
)
CERTIFICATE_REFUSED = "The broker at {server} does not know who issued {cert}; take a certificate that its operator has issued."
BROKER_ENDED = "The certificate of the broker at {server} has ended; its operator gives it a new one. Events wait here until then."
OTHER_ADDRESS = (
    "The certificate of the broker at {server} is not for '{host}'; correct KAFKA_BOOTSTRAP_SERVERS, or have its operator add that"
    " address."
)
UNKNOWN_AUTHORITY = (
    "The broker at {server} shows a certificate that {ca} does not vouch for; take the authority's file from the broker's operator."
)
