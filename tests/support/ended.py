"""Certificates whose time is over: TLS goes by the machine's own clock, so they are issued for the week before last."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from servers import KafkaNodeFactory

from shared.exchange.access import Access
from shared.kit.certificates import Authority, Certificate
from shared.kit.files import write_whole
from shared.kit.local.kafka import KafkaNode
from shared.kit.local.kafka_certificates import BROKER, BrokerFiles
from shared.kit.local.ports import LOOPBACK

LONG_AGO, A_DAY = timedelta(days=9), timedelta(days=1)


def _ended(authority: Authority, name: str, *addresses: str) -> Certificate:
    return authority.issue(name, datetime.now(UTC) - LONG_AGO, A_DAY, addresses)


def certificate_that_has_ended(operator: Access, folder: Path) -> Access:
    """The operator's way in with a certificate that was good once."""
    made = _ended(Authority.make("whoever", datetime.now(UTC), A_DAY), "refnet-operator")
    write_whole(folder / "old.pem", made.cert)
    write_whole(folder / "old.key.pem", made.key)
    return replace(operator, cert=folder / "old.pem", key=folder / "old.key.pem")


def broker_that_has_ended(start: KafkaNodeFactory, folder: Path) -> KafkaNode:
    """A broker that shows agencies `ended.pem` of the folder, which has ended. Among themselves and for their operator brokers
    have a good one: Kafka looks at that when it starts, and at no other."""
    files = BrokerFiles(folder / "of-the-ended")
    files.make()
    made = _ended(files.authority(), BROKER, LOOPBACK)
    write_whole(folder / "ended.pem", made.key + made.cert)
    return start(files=files, overrides={"listener.name.client.ssl.keystore.location": str(folder / "ended.pem")})
