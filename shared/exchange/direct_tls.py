"""Who is at the other end of a direct line: mutual TLS in which each end's certificate names its agency.

No header and no address tells an agency: only its certificate does, which the network's authority has signed.
"""

import re
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from shared.contracts.wire.topics import AGENCY_ID
from shared.kit.certificates import good_until, names_in
from shared.kit.errors import RefnetError

VARIABLES = "REFNET_EXCHANGE_CA, _CERT and _KEY"
_AGENCY = re.compile(AGENCY_ID)
Read = TypeVar("Read")


@dataclass(frozen=True, slots=True)
class Credentials:
    """The files of one agency: whom it trusts, its certificate, and its key. All PEM."""

    ca: Path
    cert: Path
    key: Path

    def server_context(self) -> ssl.SSLContext:
        """For the listening end: nobody without a certificate comes in. Raises RefnetError where a file cannot be used."""
        context = self._context(ssl.Purpose.CLIENT_AUTH)
        context.verify_mode = ssl.CERT_REQUIRED
        # A resumed session would outlive the certificate that it was opened with.
        context.num_tickets = 0
        context.options |= ssl.OP_NO_TICKET
        return context

    def client_context(self) -> ssl.SSLContext:
        """For the asking end: the certificate must name the agency that is asked. Raises RefnetError as above."""
        return self._context(ssl.Purpose.SERVER_AUTH)

    def _context(self, purpose: ssl.Purpose) -> ssl.SSLContext:
        try:
            context = ssl.create_default_context(purpose, cafile=str(self.ca))  # this authority and no other
            context.load_cert_chain(str(self.cert), str(self.key))
        except (OSError, ssl.SSLError) as error:
            raise RefnetError(
                f"{VARIABLES} cannot be used; each must be the path of a readable PEM file, the key fitting."
            ) from error
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.verify_flags |= ssl.VERIFY_X509_STRICT  # as Python has it by itself from 3.13 on
        context.options |= ssl.OP_NO_RENEGOTIATION
        return context

    def agency(self) -> str | None:
        """The agency that the certificate names; raises RefnetError where it cannot be read."""
        return _one_agency(*_read(self.cert, names_in))

    def good_until(self) -> datetime:
        """When the certificate ends; raises RefnetError where it cannot be read."""
        return _read(self.cert, good_until)

    def authority(self) -> str:
        """The common name of whom this agency trusts; raises RefnetError where it cannot be read."""
        return _read(self.ca, names_in)[0]


def agency_of(peercert: Mapping[str, Any] | None) -> str | None:
    """The one agency that a verified certificate names, as `ssl` tells it; None where it names none, or several."""
    subject = [value for part in (peercert or {}).get("subject", ()) for kind, value in part if kind == "commonName"]
    also = [value for kind, value in (peercert or {}).get("subjectAltName", ()) if kind == "DNS"]
    return _one_agency(subject[0] if subject else "", also)


def _read(file: Path, read: Callable[[bytes], Read]) -> Read:
    try:
        return read(file.read_bytes())
    except (OSError, ValueError) as error:
        raise RefnetError(f"{VARIABLES} cannot be used; {file.name} is no readable PEM certificate.") from error


def _one_agency(common: str, also: Sequence[str]) -> str | None:
    """As TLS reads it: the common name counts only where there is no other. A host's name has a dot, so it is no agency's."""
    found = {name for name in (also or [common]) if _AGENCY.fullmatch(name)}
    return found.pop() if len(found) == 1 else None
