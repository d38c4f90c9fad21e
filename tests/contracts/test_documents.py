"""The generated documents are the committed ones, and each is valid by its own standard's checker, offline."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from agencies import SECRET, network
from coast import coast
from npm import installed
from openapi_spec_validator import validate
from overseen import overseen_network

from services.documents import asyncapi_of, openapi_of
from services.kinds import MODULES
from shared.casework.directory.of_programme import network_of
from shared.casework.here import Here
from shared.programmes.profile import load_programme

DOCUMENTS = Path(__file__).parents[2] / "docs" / "api"
CHECKER = Path(__file__).parent / "asyncapi"
BESIDE = ("partner", "justice")  # the demo's own network has neither
EACH_AGENCY = pytest.mark.parametrize("agency", ["police", "health", "social_welfare", *BESIDE, "oversight"])

ROUTES = """
POST /cases · GET /cases · GET /cases/{case_id} · GET /cases/{case_id}/timeline · POST /cases/{case_id}/incidents
GET /cases/{case_id}/incidents · POST /cases/{case_id}/consents · GET /cases/{case_id}/consents
DELETE /cases/{case_id}/consents/{consent_id} · POST /referrals · GET /referrals · GET /referrals/{referral_id}
POST /referrals/{referral_id}/{transition} · POST /arrivals · POST /cases/{case_id}/progress · GET /subscriptions
POST /subscriptions · DELETE /subscriptions/{subscription_id} · GET /events/stream · GET /alarms · POST /alarms/{alarm_id}/take
POST /alarms/{alarm_id}/resolve · GET /directory/services · GET /peers · GET /parked · GET /cases/{case_id}/access-log
"""


def here(agency: str) -> Here:
    if agency in BESIDE:
        return Here(agency, network_of(coast(), "demo", MODULES), coast(), SECRET)
    net = overseen_network() if agency == "oversight" else network("demo")
    return Here(agency, net, load_programme("zm-vsu-ec"), SECRET)


@EACH_AGENCY
def test_the_documents_are_the_committed_ones(agency: str) -> None:
    for made, name in ((openapi_of(here(agency)), "openapi"), (asyncapi_of(here(agency)), "asyncapi")):
        committed = (DOCUMENTS / f"{agency}.{name}.json").read_text()
        assert made == committed, f"write it again: refnet {name} {agency} > docs/api/{agency}.{name}.json"


@EACH_AGENCY
def test_the_http_api_is_valid_openapi_and_holds_every_promised_route(agency: str) -> None:
    document: dict[str, Any] = json.loads((DOCUMENTS / f"{agency}.openapi.json").read_text())
    validate(document)
    made = {f"{method.upper()} {path}" for path, item in document["paths"].items() for method in item}
    if agency == "oversight":  # it has no case, and no address for one
        assert not [one for one in made if any(part in one for part in ("/cases", "/referrals", "/arrivals", "/events"))]
        return
    for route in ROUTES.replace("\n", " · ").split(" · "):
        if route.strip():
            method, path = route.split()
            assert f"{method} /api/v1{path}" in made, route


@pytest.fixture(scope="module")
def parser() -> Path:
    """The official AsyncAPI parser, installed once from the lock file; a machine without npm fails."""
    return installed("asyncapi-check", CHECKER, "check.mjs")


def faults(parser: Path, *documents: Path) -> tuple[int, str]:
    command = ["node", "check.mjs", *map(str, documents)]
    done = subprocess.run(command, cwd=parser, check=False, capture_output=True, text=True, timeout=100)
    return done.returncode, done.stdout + done.stderr


def test_what_agencies_say_on_kafka_is_valid_asyncapi(parser: Path) -> None:
    assert faults(parser, *sorted(DOCUMENTS.glob("*.asyncapi.json"))) == (0, "")


def test_a_planted_mistake_in_asyncapi_is_found(parser: Path, tmp_path: Path) -> None:
    document = json.loads((DOCUMENTS / "police.asyncapi.json").read_text())
    next(iter(document["operations"].values()))["action"] = "shout"
    planted = tmp_path / "planted.json"
    planted.write_text(json.dumps(document))
    code, words = faults(parser, planted)
    assert code == 1
    assert "action" in words
