"""The settings of one Kafka node on one machine, as data: each with the reason why it is not Kafka's own default."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from shared.kit.local.ports import LOOPBACK

CLUSTER_ID = "cmVmbmV0LWxvY2FsLWtmaw"  # any 16 bytes in base64; a node refuses data of another cluster
ADMIN = "admin"


@dataclass(frozen=True)
class Users:
    """Turns on SASL/SCRAM-SHA-512 and ACLs: who may connect, by name and password. `admin` may do everything."""

    passwords: Mapping[str, str] = field(repr=False)

    @property
    def all(self) -> Mapping[str, str]:
        return {ADMIN: "admin-on-loopback", **self.passwords}


def server_properties(
    directory: Path, *, port: int, controller_port: int, users: Users | None, overrides: Mapping[str, str]
) -> str:
    """The text of server.properties. `overrides` win."""
    chosen = _one_node(directory, port, controller_port) | (_secured(users) if users else {}) | dict(overrides)
    return "".join(f"{name}={value}\n" for name, value in chosen.items())


def _one_node(directory: Path, port: int, controller_port: int) -> dict[str, str]:
    return {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@{LOOPBACK}:{controller_port}",
        "listeners": f"CLIENT://{LOOPBACK}:{port},CONTROLLER://{LOOPBACK}:{controller_port}",
        "advertised.listeners": f"CLIENT://{LOOPBACK}:{port}",
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "CLIENT",
        "listener.security.protocol.map": "CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "log.dirs": str(directory / "data"),
        # Topics are made by `provision`; one that makes itself hides a spelling mistake.
        "auto.create.topics.enable": "false",
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


def _secured(users: Users) -> dict[str, str]:
    # The controller listener uses PLAIN: SCRAM's records live in the very log that the controller has yet to open.
    admin = users.all[ADMIN]
    module = "org.apache.kafka.common.security"
    return {
        "listener.security.protocol.map": "CLIENT:SASL_PLAINTEXT,CONTROLLER:SASL_PLAINTEXT",
        "sasl.enabled.mechanisms": "SCRAM-SHA-512",
        "sasl.mechanism.inter.broker.protocol": "SCRAM-SHA-512",
        "sasl.mechanism.controller.protocol": "PLAIN",
        "listener.name.client.scram-sha-512.sasl.jaas.config": (
            f'{module}.scram.ScramLoginModule required username="{ADMIN}" password="{admin}";'
        ),
        "listener.name.controller.sasl.enabled.mechanisms": "PLAIN",
        "listener.name.controller.plain.sasl.jaas.config": (
            f'{module}.plain.PlainLoginModule required username="{ADMIN}" password="{admin}" user_{ADMIN}="{admin}";'
        ),
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": f"User:{ADMIN}",
        "allow.everyone.if.no.acl.found": "false",
    }


def scram_arguments(users: Users | None) -> list[str]:
    """What `format` needs so that the users exist from the first start on."""
    if users is None:
        return []
    named = users.all.items()
    return [arg for name, word in named for arg in ("--add-scram", f"SCRAM-SHA-512=[name={name},password={word}]")]
