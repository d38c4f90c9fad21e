"""How to reach the broker, and a probe that says in one sentence why it cannot be reached.

The client libraries hide a wrong password behind a connection error; the reason stands only in their log, so the probe reads that.
"""

import asyncio
import contextlib
import logging
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.client import AIOKafkaClient
from aiokafka.cluster import ClusterMetadata
from aiokafka.errors import KafkaError
from faststream.security import BaseSecurity, SASLScram512

from shared.exchange.refusals import why_not
from shared.kit.errors import RefnetError

PROBE_TIMEOUT_S = 10.0  # a broker that is up answers in 0.01 s; this covers one that is just starting
REQUEST_TIMEOUT_MS = 5_000
TOPIC_EXISTS, NO_RIGHT = 36, 29  # Kafka's error codes
OVERHEARD_CHARACTERS_MAX = 2_000  # the reason stands in the last line or two, of a few hundred each
REPLICAS_MAX = 3  # copies of a topic where there are as many brokers: one may die and two still agree
# By copies, how many must have a record before it counts as sent; with fewer than three, one death would stop every sender.
MIN_IN_SYNC = {3: "2"}
# What is sealed does not shrink, so only a bomb comes compressed: the broker unpacks it, finds it too large, and refuses it.
PLAIN = {"compression.type": "uncompressed"}
# What a topic takes in one batch of records, whatever the cluster's own limit is: twice a batch of the relay (512 KiB), and fifteen
# of the largest envelope (some 66 KiB). A broker that keeps to it hands a reader no more of a lane at once.
RECORD_BATCH_BYTES_MAX = 1024 * 1024


class BrokerUnreachable(RefnetError):
    """The broker cannot be used; the sentence says why and what to do."""


@dataclass(frozen=True, slots=True)
class Access:
    """The broker's address, and who we are there."""

    bootstrap_servers: str
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None

    @property
    def is_tls(self) -> bool:
        """Whether the line is encrypted."""
        return self.ca is not None

    def context(self) -> ssl.SSLContext | None:
        """The TLS context, or None without TLS; raises BrokerUnreachable where a file cannot be used."""
        if self.ca is None:
            return None
        try:
            context = ssl.create_default_context(cafile=str(self.ca))
            if self.cert is not None:
                context.load_cert_chain(str(self.cert), str(self.key) if self.key else None)
        except (OSError, ssl.SSLError) as error:
            raise BrokerUnreachable(
                "REFNET_KAFKA_CA, _CERT or _KEY cannot be used; each must be the path of a readable PEM file."
            ) from error
        return context

    @property
    def servers(self) -> list[str]:
        """The addresses one by one: FastStream takes a text for a single host, whatever commas it holds."""
        return self.bootstrap_servers.split(",")

    def options(self) -> dict[str, Any]:
        """What aiokafka's clients are given."""
        options: dict[str, Any] = {"bootstrap_servers": self.servers}
        if self.username is not None:
            options |= {
                "security_protocol": "SASL_SSL" if self.is_tls else "SASL_PLAINTEXT", "sasl_mechanism": "SCRAM-SHA-512",
                "sasl_plain_username": self.username, "sasl_plain_password": self.password,
            }  # fmt: skip
        elif self.is_tls:
            options["security_protocol"] = "SSL"
        return options | ({"ssl_context": self.context()} if self.is_tls else {})

    def librdkafka(self) -> dict[str, str | int | float | bool]:
        """What confluent-kafka's clients are given; raises BrokerUnreachable where a file cannot be used."""
        self.context()  # says in a sentence what librdkafka would say of a file in its own words
        sasl = {"sasl.mechanism": "SCRAM-SHA-512", "sasl.username": self.username, "sasl.password": self.password}
        files = {"ssl.ca.location": self.ca, "ssl.certificate.location": self.cert, "ssl.key.location": self.key}
        protocol = ("SASL_" if self.username is not None else "") + ("SSL" if self.is_tls else "PLAINTEXT")
        chosen = (sasl if self.username is not None else {}) | (files if self.is_tls else {})
        return {
            "bootstrap.servers": self.bootstrap_servers, "security.protocol": protocol,
            **{name: str(value) for name, value in chosen.items() if value is not None},
        }  # fmt: skip

    def faststream(self) -> BaseSecurity | None:
        """What FastStream's broker is given."""
        if self.username is not None:
            return SASLScram512(self.username, self.password or "", use_ssl=self.is_tls, ssl_context=self.context())
        return BaseSecurity(ssl_context=self.context(), use_ssl=True) if self.is_tls else None


class _Overheard(logging.Handler):
    """Keeps the last thing that aiokafka said of a failed connection."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.words = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.words = f"{self.words} {record.getMessage()}"[-OVERHEARD_CHARACTERS_MAX:]


@contextlib.contextmanager
def _overhearing() -> Iterator[_Overheard]:
    overheard, logger = _Overheard(), logging.getLogger("aiokafka")
    logger.addHandler(overheard)
    try:
        yield overheard
    finally:
        logger.removeHandler(overheard)


def not_the_operator(access: Access) -> BrokerUnreachable:
    """What whoever is not its operator is told who would change the broker."""
    return BrokerUnreachable(
        f"The broker at {access.bootstrap_servers} lets only its operator make topics, users and rights; run `refnet provision`"
        " with the operator's REFNET_KAFKA_USERNAME and REFNET_KAFKA_PASSWORD, or certificate."
    )


async def topics_of(access: Access) -> frozenset[str]:
    """The topics that this agency can see; raises BrokerUnreachable."""
    return frozenset(await partitions_of(access))


async def partitions_of(access: Access) -> dict[str, int]:
    """The topics that this agency can see, each with its number of partitions; raises BrokerUnreachable."""
    seen = await _metadata(access)
    return {topic: len(seen.partitions_for_topic(topic) or ()) for topic in seen.topics()}


async def _metadata(access: Access) -> ClusterMetadata:
    """What any broker of the cluster says that there is: one that has died is passed over, though others still name it."""
    client = AIOKafkaClient(**access.options(), request_timeout_ms=REQUEST_TIMEOUT_MS)
    with _overhearing() as overheard:
        try:
            async with asyncio.timeout(PROBE_TIMEOUT_S):
                await client.bootstrap()
                return await client.fetch_all_metadata()
        except (KafkaError, TimeoutError, OSError) as error:
            raise BrokerUnreachable(await why_not(access, overheard.words)) from error
        finally:
            await client.close()


async def thin_topics(access: Access, topics: tuple[str, ...]) -> list[str]:
    """Topics with fewer copies than the brokers could keep, as those made before there were more; raises BrokerUnreachable."""
    admin = AIOKafkaAdminClient(**access.options(), request_timeout_ms=REQUEST_TIMEOUT_MS)
    with _overhearing() as overheard:
        try:
            await admin.start()
            wanted = min(REPLICAS_MAX, len((await admin.describe_cluster())["brokers"]))
            described = {topic["topic"]: topic["partitions"] for topic in await admin.describe_topics()}
        except (KafkaError, OSError) as error:
            raise BrokerUnreachable(await why_not(access, overheard.words)) from error
        finally:
            await admin.close()
    return sorted(t for t in topics if any(len(partition["replicas"]) < wanted for partition in described.get(t, ())))


async def provision(access: Access, topics: tuple[str, ...], partitions: int) -> list[str]:
    """Makes the topics that are missing and returns their names; a second call makes none. Raises BrokerUnreachable.

    Where there are three brokers, each topic lies on three and a record counts as sent once two have it.
    """
    missing = sorted(set(topics) - await topics_of(access))
    if not missing:
        return []
    admin = AIOKafkaAdminClient(**access.options(), request_timeout_ms=REQUEST_TIMEOUT_MS)
    try:
        await admin.start()
        copies = min(REPLICAS_MAX, len((await admin.describe_cluster())["brokers"]))
        settings = {
            **PLAIN, "max.message.bytes": str(RECORD_BATCH_BYTES_MAX), "min.insync.replicas": MIN_IN_SYNC.get(copies, "1"),
        }  # fmt: skip
        answer = await admin.create_topics([NewTopic(name, partitions, copies, topic_configs=settings) for name in missing])
    except KafkaError as error:
        raise BrokerUnreachable(
            f"The broker at {access.bootstrap_servers} did not make the topics ({type(error).__name__})."
        ) from error
    finally:
        await admin.close()
    for topic, code, *_ in answer.topic_errors:
        if code == NO_RIGHT:
            raise not_the_operator(access)
        if code not in (0, TOPIC_EXISTS):
            raise BrokerUnreachable(
                f"The broker refuses to make the topic '{topic}' (Kafka error {code}); use an account that may."
            )
    # One that another node has just made may still be unknown to the node that was asked: it exists, and was not made now.
    return sorted(topic for topic, code, *_ in answer.topic_errors if code == 0)
