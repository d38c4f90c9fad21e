"""The settings of one Kafka node on one machine, as data: each with the reason why it is not Kafka's own default."""

from collections.abc import Mapping
from pathlib import Path

from shared.kit.local.kafka_certificates import BROKER, OPERATOR, BrokerFiles
from shared.kit.local.ports import LOOPBACK

CLUSTER_ID = "cmVmbmV0LWxvY2FsLWtmaw"  # any 16 bytes in base64; a node refuses data of another cluster


def server_properties(
    directory: Path, *, port: int, mutual_port: int, controller_port: int, files: BrokerFiles, overrides: Mapping[str, str]
) -> str:
    """The text of server.properties. `overrides` win."""
    chosen = _one_node(directory, port, mutual_port, controller_port)
    chosen |= secured(str(files.broker), str(files.ca)) | dict(overrides)
    return "".join(f"{name}={value}\n" for name, value in chosen.items())


def secured(broker_file: str, ca_file: str) -> dict[str, str]:
    """Who is let in, and who may do what: agencies with SCRAM over TLS at CLIENT, certificates at MUTUAL, and nothing by default.

    The broker and its operator are known by their certificates alone, so that no password of theirs exists.
    """
    return {
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "MUTUAL",
        "listener.security.protocol.map": "CLIENT:SASL_SSL,MUTUAL:SSL,CONTROLLER:SSL",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": broker_file,
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": ca_file,
        "listener.name.mutual.ssl.client.auth": "required",
        "listener.name.controller.ssl.client.auth": "required",
        # A certificate that names its holder and nothing else is that user; any other's name stays too long to be anybody's.
        "ssl.principal.mapping.rules": "RULE:^CN=([a-z][a-z0-9_-]*)$/$1/,DEFAULT",
        "sasl.enabled.mechanisms": "SCRAM-SHA-512",
        "listener.name.client.scram-sha-512.sasl.jaas.config": (
            "org.apache.kafka.common.security.scram.ScramLoginModule required;"
        ),
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": f"User:{BROKER};User:{OPERATOR}",
        "allow.everyone.if.no.acl.found": "false",
        # Topics are made by `provision`; one that makes itself hides a spelling mistake.
        "auto.create.topics.enable": "false",
    }


def _one_node(directory: Path, port: int, mutual_port: int, controller_port: int) -> dict[str, str]:
    return {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@{LOOPBACK}:{controller_port}",
        "listeners": f"CLIENT://{LOOPBACK}:{port},MUTUAL://{LOOPBACK}:{mutual_port},CONTROLLER://{LOOPBACK}:{controller_port}",
        "advertised.listeners": f"CLIENT://{LOOPBACK}:{port},MUTUAL://{LOOPBACK}:{mutual_port}",
        "log.dirs": str(directory / "data"),
        # One node: nothing can have a second copy, and 50 partitions of offsets only cost start time.
        "default.replication.factor": "1",
        "offsets.topic.replication.factor": "1",
        "offsets.topic.num.partitions": "1",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "transaction.state.log.num.partitions": "1",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        # After a kill the node waits for its own old registration to expire: 9 s by default.
        "broker.session.timeout.ms": "3000",
        "broker.heartbeat.interval.ms": "500",
        # Kafka waits 3 s for more members before it lets a group begin.
        "group.initial.rebalance.delay.ms": "0",
        # 128 MB by default, which is half of our heap.
        "log.cleaner.dedupe.buffer.size": str(8 * 1024 * 1024),
        "log.cleaner.threads": "1",
        "num.network.threads": "2",
        "num.io.threads": "4",
    }


def quorum_properties(number: int, controller_ports: Mapping[int, int]) -> dict[str, str]:
    """What a node of a cluster has other than a lone one: its number, every node's controller by number, copies that outlive it."""
    voters = ",".join(f"{peer}@{LOOPBACK}:{port}" for peer, port in controller_ports.items())
    copies, copies_min = str(len(controller_ports)), str(len(controller_ports) // 2 + 1)
    return {
        "node.id": str(number),
        "controller.quorum.voters": voters,
        # acks=all means a majority: the death of one node stops no writer, and loses nothing that was acknowledged.
        "default.replication.factor": copies,
        "min.insync.replicas": copies_min,
        "offsets.topic.replication.factor": copies,
        "transaction.state.log.replication.factor": copies,
        "transaction.state.log.min.isr": copies_min,
        "share.coordinator.state.topic.replication.factor": copies,
        "share.coordinator.state.topic.min.isr": copies_min,
        # A copy that lags never leads: it would lose what the others had acknowledged.
        "unclean.leader.election.enable": "false",
        # The next controller is elected within a second of the last one's death: 3 s without any acknowledgement, not 8.
        "controller.quorum.fetch.timeout.ms": "1000",
        "controller.quorum.election.timeout.ms": "500",
    }
