"""Whoever a real broker does not let in is told why in one sentence: TLS itself says no more than that the line was closed."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from ended import broker_that_has_ended, certificate_that_has_ended
from kafka_line import sees, until
from processes import free_port
from servers import Kafka, KafkaNodeFactory, kafka_of

from shared.exchange.access import Access, BrokerUnreachable, partitions_of, thin_topics
from shared.exchange.rights import admit
from shared.kit.files import write_whole
from shared.kit.local.kafka_certificates import BrokerFiles

WAYS: dict[str, Callable[[Kafka, Access, Path], Access]] = {
    "refuses the user 'nobody' or its password": lambda _, agency, __: replace(agency, username="nobody"),
    "refuses the user 'police": lambda _, agency, __: replace(agency, password="wrong"),
    "speaks TLS alone; set REFNET_KAFKA_CA": lambda _, agency, __: replace(agency, ca=None),
    "lets in only who has a password": lambda _, agency, __: replace(agency, username=None, password=None),
    "lets in only who shows a certificate": lambda kafka, _, __: replace(kafka.operator, cert=None, key=None),
    "other/broker/ca.pem does not vouch for": lambda _, agency, folder: replace(agency, ca=stranger(folder).ca),
    "does not know who issued": lambda kafka, _, folder: replace(
        kafka.operator, cert=stranger(folder).operator("").cert, key=stranger(folder).operator("").key
    ),
    "ended on ": lambda kafka, _, folder: certificate_that_has_ended(kafka.operator, folder),
    "No broker answers": lambda _, agency, __: replace(agency, bootstrap_servers=f"127.0.0.1:{free_port()}"),
    "each must be the path of a readable PEM file": lambda _, agency, folder: replace(agency, ca=folder / "nothing.pem"),
}


def stranger(folder: Path) -> BrokerFiles:
    """The files of another broker."""
    files = BrokerFiles(folder / "other")
    files.make()
    return files


@pytest.mark.parametrize("words", WAYS)
async def test_who_is_not_let_in_is_told_why(words: str, kafka: Kafka, unique: str, tmp_path: Path) -> None:
    agency = Access(kafka.bootstrap_servers, f"police_{unique}", "right", kafka.operator.ca)
    await admit(kafka.operator, (), {f"police_{unique}": "right"})
    await until(partial(sees, agency, set()))
    way = WAYS[words](kafka, agency, tmp_path)
    for ask in (partitions_of(way), thin_topics(way, ())):
        with pytest.raises(BrokerUnreachable, match=words) as refused:
            await ask
        assert len(str(refused.value).splitlines()) == 1
        assert str(refused.value).endswith(".")
        assert "right" not in str(refused.value)


async def test_a_brokers_certificate_that_has_ended_or_is_for_another_address_is_named(
    kafka_node_factory: KafkaNodeFactory, tmp_path: Path
) -> None:
    node = broker_that_has_ended(kafka_node_factory, tmp_path)
    with pytest.raises(BrokerUnreachable, match=f"The certificate of the broker at {node.bootstrap_servers} has ended"):
        await partitions_of(Access(node.bootstrap_servers, "police", "x", node.files.ca))
    assert await partitions_of(kafka_of(node).operator) == {}  # at the other address it has a good one
    elsewhere = node.files.authority().issue("refnet-broker", datetime.now(UTC), timedelta(days=1), ["10.1.2.3"])
    write_whole(tmp_path / "ended.pem", elsewhere.key + elsewhere.cert)
    node.restart()
    with pytest.raises(BrokerUnreachable, match=f"broker at {node.bootstrap_servers} is not for '127.0.0.1'"):
        await partitions_of(Access(node.bootstrap_servers, "police", "x", node.files.ca))
