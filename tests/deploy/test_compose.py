"""deploy/ keeps what decision 6 says: agencies apart, nothing published beyond this machine, no default secret, pinned images.

No Docker engine is needed: the file is judged by the schema that ships with check-jsonschema, and by what it says.
"""

import re
import stat
import subprocess
import sys
from dataclasses import asdict
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.broker_users import user_of
from services.certificates import broker_files, files_of
from services.keys import KeyFolder
from services.settings import Settings, variables_of
from shared.casework.directory.network import load_network
from shared.exchange.access import Access
from shared.kit.local.docker import variable_of
from shared.kit.local.kafka_properties import secured

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
COMPOSE = DEPLOY / "compose.yaml"
TEXT = COMPOSE.read_text()
EXAMPLE = (DEPLOY / ".env.example").read_text()

PORTS = {"police": "8001", "health": "8002", "social_welfare": "8003"}
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(TEXT)["services"]
NETWORKS: dict[str, dict[str, Any]] = yaml.safe_load(TEXT)["networks"]
FILE = load_network(DEPLOY / "network.yaml")
OURS = sorted(name for name, service in SERVICES.items() if service["image"].startswith("refnet:"))
PINNED = re.compile(r"[a-z/]+:\d+\.\d+(\.\d+)?(-[a-z-]+)?")  # name:version, with nothing that moves by a whole release
VARIABLE = re.compile(r"(?<!\$)\$(?:\{(?P<name>\w+)(?P<rest>[^}]*)\}|(?P<bare>\w+))")


def of(agency: str) -> dict[str, dict[str, Any]]:
    """The services of one agency by their role: postgres, migrate, keys, web, worker."""
    prefix = agency.replace("_", "-") + "-"
    return {name.removeprefix(prefix): service for name, service in SERVICES.items() if name.startswith(prefix)}


def networks(agency: str) -> set[str]:
    return {network for service in of(agency).values() for network in service.get("networks", ())}


def validate(file: Path) -> subprocess.CompletedProcess[str]:
    """The schema lies in the installed package. A proxy that nobody serves makes sure that nothing is fetched."""
    nowhere = "http://127.0.0.1:9"
    return subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(file)],
        env={"HTTP_PROXY": nowhere, "HTTPS_PROXY": nowhere},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_compose_file_fits_the_compose_schema_offline() -> None:
    done = validate(COMPOSE)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ('ports: ["127.0.0.1:8001:8001"]', "ports: 5"),
        ("restart: unless-stopped", "restrat: unless-stopped"),
        ("condition: service_healthy", "condition: service_healthful"),
    ],
)
def test_a_planted_mistake_does_not_fit_the_compose_schema(tmp_path: Path, right: str, wrong: str) -> None:
    assert right in TEXT
    planted = tmp_path / "compose.yaml"
    planted.write_text(TEXT.replace(right, wrong))
    assert validate(planted).returncode == 1


def test_there_are_three_agencies_the_broker_what_sets_them_up_and_nothing_else() -> None:
    roles = {"postgres", "migrate", "keys", "web", "worker"}
    assert all(set(of(agency)) == roles for agency in PORTS)
    assert len(SERVICES) == len(PORTS) * len(roles) + len(["kafka", "provision", "certificates", "broker-certificates"])


def test_each_service_of_an_agency_runs_its_own_command_for_its_own_agency() -> None:
    for agency in PORTS:
        for role in ("migrate", "web", "worker"):
            service = of(agency)[role]
            assert service["command"][:2] == [role, agency]
            assert service["environment"]["REFNET_AGENCY"] == agency


@pytest.mark.parametrize("agency", PORTS)
def test_an_agencys_database_is_on_a_network_that_nobody_else_joins(agency: str) -> None:
    (network,) = of(agency)["postgres"]["networks"]
    assert NETWORKS[network]["internal"] is True
    joined = {name for name, service in SERVICES.items() if network in service.get("networks", ())}
    assert joined == {f"{agency.replace('_', '-')}-{role}" for role in ("postgres", "migrate", "web", "worker")}


def test_agencies_meet_at_the_broker_and_on_their_direct_lines_and_nowhere_else() -> None:
    for one, other in combinations(PORTS, 2):
        assert networks(one) & networks(other) == {"broker", "direct"}


def test_only_workers_and_provision_reach_the_broker_and_from_there_nobody_reaches_the_internet() -> None:
    joined = {name for name, service in SERVICES.items() if "broker" in service.get("networks", ())}
    assert joined == {"kafka", "provision", "police-worker", "health-worker", "social-welfare-worker"}
    assert NETWORKS["broker"]["internal"] is True


def test_only_workers_are_on_the_direct_lines_and_from_there_nobody_reaches_the_internet() -> None:
    joined = {name for name, service in SERVICES.items() if "direct" in service.get("networks", ())}
    assert joined == {"police-worker", "health-worker", "social-welfare-worker"}
    assert NETWORKS["direct"]["internal"] is True


@pytest.mark.parametrize("agency", PORTS)
def test_an_agencys_address_for_its_peers_leads_to_its_own_worker(agency: str) -> None:
    worker = of(agency)["worker"]
    entry = FILE.agencies[agency]
    assert entry.exchange_url == f"https://{worker['networks']['direct']['aliases'][0]}:{int(PORTS[agency]) + 100}"
    assert worker["environment"]["REFNET_EXCHANGE_HOST"] == "0.0.0.0"
    assert set(FILE.direct_lines_of(agency)) == set(FILE.peers_of(agency)) == set(PORTS) - {agency}


def test_every_network_is_named_because_the_default_one_joins_everybody() -> None:
    alone = {name for name, service in SERVICES.items() if service.get("network_mode") == "none"}
    assert alone == {"certificates", "broker-certificates", "police-keys", "health-keys", "social-welfare-keys"}
    assert all(bool(service.get("networks")) != (name in alone) for name, service in SERVICES.items())
    assert not any("links" in service or service.get("network_mode", "none") != "none" for service in SERVICES.values())


def test_each_worker_reads_its_own_certificate_and_only_certificates_writes_them_and_sees_the_authority() -> None:
    places = {
        (name, v["source"], v["target"], v.get("read_only", False))
        for name, service in SERVICES.items()
        for v in service.get("volumes", ())
        if v["source"].endswith("-tls") or v["source"] == "authority"
    }
    folders = {agency: (f"{agency.replace('_', '-')}-tls", f"/var/lib/refnet/tls/{agency}") for agency in PORTS}
    workers = {(f"{agency.replace('_', '-')}-worker", *where, True) for agency, where in folders.items()}
    maker = {("certificates", *where, False) for where in (*folders.values(), ("authority", "/var/lib/refnet/tls/.authority"))}
    assert places == workers | maker
    made = Path("/var/lib/refnet")
    assert {str(files_of(made, agency).cert.parent) for agency in PORTS} == {target for _, target in folders.values()}


def test_each_worker_reads_its_own_user_of_the_broker_and_provision_alone_writes_it() -> None:
    places = {
        (name, v["source"], v["target"], v.get("read_only", False))
        for name, service in SERVICES.items()
        for v in service.get("volumes", ())
        if v["source"].endswith("-broker")
    }
    home = Path("/var/lib/refnet")
    folders = {agency: (f"{agency.replace('_', '-')}-broker", str(user_of(home, agency).folder)) for agency in PORTS}
    workers = {(f"{agency.replace('_', '-')}-worker", *where, True) for agency, where in folders.items()}
    assert places == workers | {("provision", *where, False) for where in folders.values()}


def test_the_brokers_files_go_to_the_broker_its_operator_and_nobody_else() -> None:
    places = {
        (name, v["target"], v.get("read_only", False))
        for name, service in SERVICES.items()
        for v in service.get("volumes", ())
        if v["source"] in ("broker-authority", "broker-operator", "broker-files")
    }
    made = broker_files(Path("/var/lib/refnet"))
    operator = made.operator(SERVICES["provision"]["environment"]["KAFKA_BOOTSTRAP_SERVERS"])
    assert places == {
        ("broker-certificates", str(made.folder / "authority"), False),
        ("broker-certificates", str(operator.key.parent), False),
        ("broker-certificates", str(made.broker.parent), False),
        ("provision", str(operator.key.parent), True),
        ("kafka", "/etc/refnet", True),
    }
    assert variables_of(Access(**asdict(operator))).items() <= SERVICES["provision"]["environment"].items()
    assert SERVICES["broker-certificates"]["command"] == ["certificates", "--broker", "kafka"]


def test_the_broker_keeps_users_and_rights_as_the_one_that_tests_run_on() -> None:
    said = {name: value.replace("$$", "$") for name, value in SERVICES["kafka"]["environment"].items()}
    kept = secured(f"/etc/refnet/{broker_files(ROOT).broker.name}", f"/etc/refnet/{broker_files(ROOT).ca.name}")
    assert {variable_of(name): value for name, value in kept.items()}.items() <= said.items()
    assert said["KAFKA_ADVERTISED_LISTENERS"] == "CLIENT://kafka:9092,MUTUAL://kafka:9093"
    # Its start script would look for other files where a listener's name ends in SSL, and for a login file where one has SASL_.
    assert not re.search(r"SSL://|SASL_\w*://", said["KAFKA_ADVERTISED_LISTENERS"])


@pytest.mark.parametrize("agency", PORTS)
def test_an_agencys_keys_are_read_by_its_worker_and_written_by_what_makes_them_alone(agency: str) -> None:
    source, target = f"{agency.replace('_', '-')}-keys", str(KeyFolder(Path("/var/lib/refnet"), agency).private)
    places = {
        (name, v["target"], v.get("read_only", False))
        for name, service in SERVICES.items()
        for v in service.get("volumes", ())
        if v["source"] == source
    }
    worker = f"{agency.replace('_', '-')}-worker"
    assert places == {(source, target, False), (worker, target, True)}
    assert of(agency)["keys"]["command"] == ["keys", "new", agency, "--if-none"]
    assert "REFNET_ROOT_PASSPHRASE" not in of(agency)["worker"]["environment"]
    everybodys = {v["target"]: v.get("read_only") for v in of(agency)["worker"]["volumes"] if v["source"] == "directories"}
    assert everybodys == {str(KeyFolder(Path("/var/lib/refnet"), agency).directory_file(agency).parent): True}
    waits = of(agency)["worker"]["depends_on"]
    assert {f"{kind.replace('_', '-')}-keys" for kind in PORTS} <= set(
        waits
    )  # one that is not read at start is unknown for a while


@pytest.mark.parametrize("agency", PORTS)
def test_the_keystore_and_what_it_lies_under_are_on_two_volumes_and_only_migrate_makes_the_latter(agency: str) -> None:
    settings = Settings.model_validate({"REFNET_HOME": "/var/lib/refnet"})
    keystore, wrapping = settings.keystore(agency).file, settings.wrapping(agency).folder
    assert keystore is not None
    for role in ("migrate", "web", "worker"):
        volumes = {Path(v["target"]): v for v in of(agency)[role]["volumes"] if v["type"] == "volume"}

        def holding(place: Path, mounted: dict[Path, dict[str, Any]] = volumes) -> dict[str, Any]:
            return next(mounted[folder] for folder in (place, *place.parents) if folder in mounted)

        assert holding(keystore)["source"] == f"{agency.replace('_', '-')}-state"
        assert holding(wrapping)["source"] == f"{agency.replace('_', '-')}-wrapping"
        assert holding(wrapping).get("read_only", False) == (role != "migrate")
    others = {name for name, service in SERVICES.items() for v in service["volumes"] if v["source"] == holding(wrapping)["source"]}
    assert others == {f"{agency.replace('_', '-')}-{role}" for role in ("migrate", "web", "worker")}


def test_every_volume_of_ours_takes_its_owner_from_the_image() -> None:
    (install,) = re.findall(r"install -d -o refnet -g refnet -m 0700((?:\s+\\?\s*/\S+)+)", (DEPLOY / "Dockerfile").read_text())
    targets = {v["target"] for name in OURS for v in SERVICES[name]["volumes"] if v["type"] == "volume"}
    assert targets <= set(install.replace("\\", " ").split())


@pytest.mark.parametrize("agency", PORTS)
def test_an_agencys_addresses_lead_to_its_own_database(agency: str) -> None:
    host = f"{agency.replace('_', '-')}-postgres"
    assert of(agency)["postgres"]["environment"]["POSTGRES_DB"] == agency
    for role in ("migrate", "web", "worker"):
        addresses = {k: v for k, v in of(agency)[role]["environment"].items() if k.startswith("REFNET_DATABASE")}
        assert all(address.endswith(f"@{host}:5432/{agency}") for address in addresses.values())
        assert addresses["REFNET_DATABASE_URL"].startswith("postgresql://refnet_app:")


def test_only_migrate_knows_the_owner_of_the_tables() -> None:
    knowing = {name for name, service in SERVICES.items() if "REFNET_DATABASE_OWNER_URL" in service.get("environment", {})}
    assert knowing == {"police-migrate", "health-migrate", "social-welfare-migrate"}


def test_no_volume_but_the_broker_and_an_agencys_own_is_shared() -> None:
    for one, other in combinations(PORTS, 2):
        kept = [{v["source"] for s in of(a).values() for v in s["volumes"] if v["type"] == "volume"} for a in (one, other)]
        assert all(kept)
        assert kept[0] & kept[1] == {"directories"}  # public, and written by nothing that serves


def test_no_published_port_leaves_this_machine() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert published == {f"{a.replace('_', '-')}-web": [f"127.0.0.1:{port}:{port}"] for a, port in PORTS.items()}


@pytest.mark.parametrize("name", OURS)
def test_every_service_of_ours_has_no_privilege_and_nothing_to_write_on_but_its_state(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert all(path.startswith("/tmp:") for path in service["tmpfs"])
    assert all(v["read_only"] for v in service["volumes"] if v["type"] == "bind")
    assert not {"privileged", "cap_add", "devices", "pid", "ipc", "user"} & set(service)


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_has_limits_a_way_to_stop_and_a_restart_policy(name: str) -> None:
    service = SERVICES[name]
    assert {"mem_limit", "pids_limit", "stop_grace_period", "cap_drop", "security_opt"} <= set(service)
    once = name in ("provision", "certificates", "broker-certificates") or name.endswith(("-migrate", "-keys"))
    assert service["restart"] == ("no" if once else "unless-stopped")


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_waits_for_what_it_needs_until_that_is_healthy_or_done(name: str) -> None:
    for needed, how in SERVICES[name].get("depends_on", {}).items():
        once = SERVICES[needed]["restart"] == "no"
        assert how["condition"] == ("service_completed_successfully" if once else "service_healthy")
        assert once or "healthcheck" in SERVICES[needed]


@pytest.mark.parametrize("agency", PORTS)
def test_a_web_needs_no_broker_and_a_worker_waits_for_topics_and_certificates(agency: str) -> None:
    assert not {"kafka", "provision"} & set(of(agency)["web"]["depends_on"])
    assert {"kafka", "provision", "certificates"} <= set(of(agency)["worker"]["depends_on"])


@pytest.mark.parametrize("agency", PORTS)
def test_a_webs_health_is_asked_where_it_listens(agency: str) -> None:
    web = of(agency)["web"]
    assert f"http://127.0.0.1:{PORTS[agency]}/health/ready" in web["healthcheck"]["test"][-1]
    assert web["command"][-1] == PORTS[agency]
    compile(web["healthcheck"]["test"][-1], "healthcheck", "exec")


@pytest.mark.parametrize("agency", PORTS)
def test_a_workers_health_is_asked_where_it_answers_and_nobody_else_can_ask(agency: str) -> None:
    worker = of(agency)["worker"]
    assert f"http://127.0.0.1:{worker['command'][-1]}/health/ready" in worker["healthcheck"]["test"][-1]
    assert "--host" not in worker["command"]  # the loopback address of its own container
    assert "ports" not in worker
    compile(worker["healthcheck"]["test"][-1], "healthcheck", "exec")


def test_every_variable_is_required_and_stands_in_the_example_and_no_other_does() -> None:
    content = "\n".join(line for line in TEXT.splitlines() if not line.lstrip().startswith("#"))
    used = list(VARIABLE.finditer(content))
    assert used
    assert all((match["rest"] or "").startswith(":?") for match in used), "no default, and a message for who forgot one"
    listed = [line.partition("=")[0] for line in EXAMPLE.splitlines() if line and not line.startswith("#")]
    assert sorted(listed) == sorted({match["name"] for match in used})


def test_no_two_services_of_different_agencies_share_a_secret() -> None:
    for one, other in combinations(PORTS, 2):
        words = [{m["name"] for s in of(a).values() for m in VARIABLE.finditer(str(s))} for a in (one, other)]
        assert all(words)
        assert not words[0] & words[1]


def test_the_example_holds_no_secret_that_would_work() -> None:
    assert all(line.startswith("#") or line.endswith("=") for line in EXAMPLE.splitlines() if line)


def test_new_env_fills_every_line_with_a_value_of_its_own_and_overwrites_nothing(tmp_path: Path) -> None:
    for name in ("new-env", ".env.example"):
        (tmp_path / name).write_bytes((DEPLOY / name).read_bytes())

    def run() -> int:
        return subprocess.run(["sh", str(tmp_path / "new-env")], capture_output=True, check=False).returncode

    assert run() == 0
    written = (tmp_path / ".env").read_text()
    values = [line.partition("=")[2] for line in written.splitlines() if line and not line.startswith("#")]
    assert len(set(values)) == len(values) == EXAMPLE.count("=\n")
    assert all(re.fullmatch(r"[0-9a-f]{64}", value) for value in values)
    assert stat.S_IMODE((tmp_path / ".env").stat().st_mode) == stat.S_IRUSR | stat.S_IWUSR
    assert run() == 1
    assert (tmp_path / ".env").read_text() == written


@pytest.mark.parametrize("image", sorted({service["image"] for service in SERVICES.values()}))
def test_every_image_is_pinned(image: str) -> None:
    assert PINNED.fullmatch(image)


def test_our_image_is_made_from_pinned_images_and_locked_packages_and_does_not_run_as_root() -> None:
    lines = (DEPLOY / "Dockerfile").read_text().splitlines()
    bases = [line.split()[1] for line in lines if line.startswith("FROM ")]
    assert bases
    assert all(PINNED.fullmatch(base) for base in bases)
    installs = [line for line in lines if "pip install" in line]
    assert all("--require-hashes" in line or ("--no-deps" in line and "--no-index" in line) for line in installs)
    assert len(installs) == len(["the lock", "our packages"])
    assert [line for line in lines if line.startswith("USER ")] == ["USER refnet"]


def test_everything_that_the_image_copies_exists_and_is_let_through() -> None:
    copies = [line.split() for line in (DEPLOY / "Dockerfile").read_text().splitlines() if line.startswith("COPY ")]
    sources = {source for _, *words in copies if not words[0].startswith("--from") for source in words[:-1]}
    allowed = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    assert all((ROOT / source).exists() for source in sources)
    assert {f"!{source}" for source in sources} == {line for line in allowed if line.startswith("!")}


def test_our_image_is_built_once_and_carries_the_projects_version() -> None:
    assert [name for name, service in SERVICES.items() if "build" in service] == ["provision"]
    version = re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert version
    assert {SERVICES[name]["image"] for name in OURS} == {f"refnet:{version[1]}"}
