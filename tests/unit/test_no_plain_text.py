"""A production network's broker is reached over TLS or not at all: said at start, by `refnet provision` and by `refnet doctor`."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

import services.demo
from services.doctor import examine
from services.keys import KeyFolder, make_missing
from services.provision import provision
from services.runtime import build
from services.settings import Settings
from shared.exchange.directory import fingerprint
from shared.kit.errors import RefnetError

AGENCIES = ("police", "health", "social_welfare")
PASSWORD = {"REFNET_KAFKA_USERNAME": "police", "REFNET_KAFKA_PASSWORD": "word"}
CERTIFICATE = {"REFNET_KAFKA_CERT": "cert.pem", "REFNET_KAFKA_KEY": "key.pem"}


def settings_of(home: Path, **more: str) -> Settings:
    """A production network whose agencies have keys, and a broker by address alone."""
    make_missing(home, AGENCIES, datetime.now(UTC))
    content = yaml.safe_load((Path(services.demo.__file__).parent / "network.yaml").read_text())
    content["purpose"] = "production"
    for agency in AGENCIES:
        content["agencies"][agency]["root"] = fingerprint(KeyFolder(home, agency).own().root)
    (home / "network.yaml").write_text(yaml.safe_dump(content))
    named = {"REFNET_HOME": str(home), "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9", "REFNET_SECRET_KEY": "s" * 32}
    return Settings.model_validate({**named, **more})


@pytest.mark.parametrize("who", [{}, PASSWORD, CERTIFICATE], ids=["nobody", "a user", "a certificate"])
def test_a_production_network_never_reaches_its_broker_in_plain_text(tmp_path: Path, who: dict[str, str]) -> None:
    settings = settings_of(tmp_path, **who)
    for refused in (
        lambda: build(settings, "police").exchange(settings),
        lambda: asyncio.run(provision(settings)),
    ):
        with pytest.raises(RefnetError, match="REFNET_KAFKA_CA is not set; a production network reaches its broker over TLS only"):
            refused()
    said = [finding["words"] for finding in asyncio.run(examine(settings)) if not finding["ok"]]
    assert sum("REFNET_KAFKA_CA is not set" in words for words in said) == 1
    assert not settings.access("police", "demo").is_tls  # a trial may, on a broker of its own machine


def test_with_an_authority_it_does(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, **PASSWORD, REFNET_KAFKA_CA="ca.pem")
    assert settings.access("police", "production").is_tls
