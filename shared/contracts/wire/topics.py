"""Topic names: two topics a direction, always in pairs, so that nothing urgent waits behind a backlog."""

import hashlib
import hmac
import re
from dataclasses import dataclass
from uuid import UUID

AGENCY_ID = r"[a-z][a-z0-9_]{0,39}"
LANES = 64  # keys per pair: enough to spread load over partitions, too few to tell one case from another
_TOPIC = re.compile(rf"^refnet\.({AGENCY_ID})\.to\.({AGENCY_ID})\.(express\.)?v1$")


@dataclass(frozen=True, slots=True)
class Direction:
    """One agency speaking to one other."""

    sender: str
    recipient: str

    @property
    def topic(self) -> str:
        """Where events travel."""
        return f"refnet.{self.sender}.to.{self.recipient}.v1"

    @property
    def express_topic(self) -> str:
        """Where statements, acute new referrals and consent taken back travel."""
        return f"refnet.{self.sender}.to.{self.recipient}.express.v1"


def direction_of(topic: str) -> Direction:
    """The direction that a topic's name tells; ValueError for any other name."""
    match = _TOPIC.match(topic)
    if not match:
        raise ValueError(f"'{topic}' is not the name of an exchange topic")
    return Direction(match[1], match[2])


def lane_of(case: UUID, pair_secret: bytes) -> int:
    """The lane (0–63) of a case between two agencies; without the pair's secret it tells nothing."""
    digest = hmac.new(pair_secret, case.bytes, hashlib.sha256).digest()
    return int.from_bytes(digest[:4]) % LANES
