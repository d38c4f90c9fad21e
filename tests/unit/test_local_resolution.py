"""Which broker a machine gets, and what people are told about it; every server here is a stand-in."""

from collections.abc import Callable
from pathlib import Path

import pytest

from shared.kit.local import broker as resolution
from shared.kit.local.broker import Broker, Kind, start_broker
from shared.kit.local.docker import node_environment
from shared.kit.local.errors import LocalServerError
from shared.kit.local.kafka_properties import secured

Break = Callable[[str], None]


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> Break:
    """Every step works at first; calling the fixture's value with a step's name breaks that step."""

    def works(kind: Kind) -> Callable[..., Broker]:
        return lambda *_: Broker("127.0.0.1:1", kind, kind, forgets=kind == "trial")

    def breaks(kind: str) -> Callable[..., Broker]:
        def impossible(*_: object) -> Broker:
            raise LocalServerError(f"no {kind} here.")

        return impossible

    kinds: tuple[Kind, ...] = ("docker", "kafka", "trial")
    for kind in kinds:
        monkeypatch.setattr(resolution, f"_{kind}", works(kind))
    return lambda kind: monkeypatch.setattr(resolution, f"_{kind}", breaks(kind))


@pytest.mark.parametrize(("broken", "kind"), [([], "docker"), (["docker"], "kafka"), (["docker", "kafka"], "trial")], ids=len)
def test_auto_takes_the_first_that_works(steps: Break, tmp_path: Path, broken: list[str], kind: str) -> None:
    for step in broken:
        steps(step)
    broker = start_broker("auto", bootstrap_servers=None, home=tmp_path)
    assert broker.kind == kind
    assert broker.reasons == [f"no {step} here." for step in broken]
    assert broker.forgets == (kind == "trial")


def test_what_was_given_comes_first_and_is_not_stopped(steps: Break, tmp_path: Path) -> None:
    with start_broker("auto", bootstrap_servers="kafka.example:9092", home=tmp_path) as broker:
        assert (broker.kind, broker.bootstrap_servers) == ("given", "kafka.example:9092")
        assert "kafka.example:9092" in broker.label


def test_an_explicit_choice_wins_over_what_was_given(steps: Break, tmp_path: Path) -> None:
    assert start_broker("trial", bootstrap_servers="kafka.example:9092", home=tmp_path).kind == "trial"


@pytest.mark.parametrize("choice", ["docker", "kafka"])
def test_an_explicit_choice_that_is_impossible_fails(steps: Break, tmp_path: Path, choice: resolution.Choice) -> None:
    steps(choice)
    with pytest.raises(LocalServerError, match=f"^no {choice} here"):
        start_broker(choice, bootstrap_servers=None, home=tmp_path)


def test_without_java_and_docker_the_reasons_say_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nobody.sock")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    with start_broker("auto", bootstrap_servers=None, home=tmp_path, cache=tmp_path) as broker:
        assert broker.kind == "trial"
        assert broker.label == "trial courier: it forgets everything when this program stops"
        assert broker.reasons[0] == "No Docker engine answers on this machine."
        assert "Java 17 or newer is not installed" in broker.reasons[1]


def test_the_container_tells_clients_the_address_that_they_can_reach() -> None:
    told = node_environment(21000, 21001)
    assert told["KAFKA_ADVERTISED_LISTENERS"] == "CLIENT://127.0.0.1:21000,MUTUAL://127.0.0.1:21001"


def test_the_container_keeps_users_and_rights_as_any_other_node() -> None:
    told = node_environment(21000, 21001)
    assert told["KAFKA_SSL_KEYSTORE_LOCATION"] == "/etc/refnet/broker.pem"
    # As the image reads a variable's name back: `_` for a dot, `___` for a hyphen.
    back = {name.removeprefix("KAFKA_").lower().replace("___", "-").replace("_", "."): value for name, value in told.items()}
    assert secured("/etc/refnet/broker.pem", "/etc/refnet/ca.pem").items() <= back.items()
