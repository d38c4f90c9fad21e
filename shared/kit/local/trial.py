"""The courier of last resort: librdkafka's in-process mock cluster, for a look round. It keeps nothing on disk."""

import logging
from collections.abc import Iterable

from confluent_kafka import KafkaException, Producer

from shared.kit.local.errors import LocalServerError

LABEL = "trial courier: it forgets everything when this program stops"
METADATA_DEADLINE_S = 10  # 0.06 s when quiet


class TrialCluster:
    """One mock broker that lives and dies with this object. Topics come into being when somebody first names them."""

    forgets = True
    label = LABEL

    def __init__(self) -> None:
        self._owner: Producer | None = None
        self._address = ""

    @property
    def bootstrap_servers(self) -> str:
        if self._owner is None:
            raise LocalServerError("The trial courier has not been started.")
        return self._address

    def start(self) -> None:
        """Returns when clients of any process on this machine can connect. Raises LocalServerError."""
        if self._owner is not None:
            return
        # librdkafka tells standard error that it mocks; the logger keeps that out of a person's terminal.
        silent = logging.getLogger("refnet.trial")
        silent.addHandler(logging.NullHandler())
        silent.propagate = False
        try:
            owner = Producer({"bootstrap.servers": "mock:1", "test.mock.num.brokers": 1}, logger=silent)
            brokers = owner.list_topics(timeout=METADATA_DEADLINE_S).brokers.values()
        except KafkaException as cause:
            raise LocalServerError(f"The trial courier did not start: {cause}.") from cause
        self._address = ",".join(f"{broker.host}:{broker.port}" for broker in brokers)
        self._owner = owner

    def stop(self) -> None:
        """Everything that was carried is gone. librdkafka ends the cluster with its owner's last reference."""
        self._owner = None


def name_topics(bootstrap_servers: str, topics: Iterable[str]) -> None:
    """Brings topics into being on a trial cluster: it makes what it is asked about."""
    asking = Producer({"bootstrap.servers": bootstrap_servers})
    for topic in topics:
        asking.list_topics(topic, timeout=METADATA_DEADLINE_S)
