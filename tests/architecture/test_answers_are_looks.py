"""Whatever a command answers of a case is kept as a look at it, by the answer itself: on every route of every kind of agency."""

from typing import Any

import pytest
from agencies import SECRET, network
from coast import coast
from fastapi.routing import APIRoute

from services.documents import app_of
from services.kinds import MODULES
from shared.casework.directory.of_programme import network_of
from shared.casework.here import Here
from shared.casework.shown import Shown
from shared.programmes.profile import load_programme

BESIDE = ("partner", "justice")  # the demo's own network has neither
# What commands answer that shows nothing of a case, by the route's last words and what it is.
NOTHING_OF_A_CASE = {
    "/place-closed": "how many circles were told", "/subscriptions": "what the account itself follows",
    "/adoptions": "a place works by a protocol", "/duties": "a roster", "/seats": "who sits at a unit",
    "/hotline/desk": "how a desk stands", "/informed": "how many were informed", "/stated": "numbers of a station",
    "/seen": "the case's own id: that she is seen is itself kept among the looks", "/certificates": "what a colleague holds",
    "/certificates/{certificate_id}/end": "what a colleague holds", "/dispensing/reports": "a product and a code",
    "/dispensing/entries": "a book of stock", "/dispensing/counts": "a count of stock", "/second": "a count of stock",
    "/dispensing/requests": "a request for supplies", "/receive": "a request for supplies", "/statements": "sums of a month",
    "/supplies/entries": "a book of stock", "/send": "a request for supplies", "/requests/{request_id}/decline": "the same",
    "/supplies/visits": "a visit to a box", "/outreach": "counts of a session", "/retry": "that a letter was taken up",
}  # fmt: skip
KEEPS = {"command", "keep_look", "_moved"}  # by one of these a route keeps the look; `_moved` calls the first


def here(agency: str) -> Here:
    if agency in BESIDE:
        return Here(agency, network_of(coast(), "demo", MODULES), coast(), SECRET)
    return Here(agency, network("demo"), load_programme("zm-vsu-ec"), SECRET)


@pytest.mark.parametrize("agency", ["police", "health", "social_welfare", *BESIDE])
def test_every_answer_of_a_command_keeps_the_look_unless_it_shows_nothing_of_a_case(agency: str) -> None:
    app: Any = app_of(here(agency))
    routers = [app.router, *(one.original_router for one in app.routes if hasattr(one, "original_router"))]
    found, silent = 0, []
    for route in (one for router in routers for one in router.routes if isinstance(one, APIRoute)):
        if not route.path.startswith("/api/") or not (route.methods or set()) - {"GET", "HEAD"} or route.status_code == 204:
            continue
        model = route.response_model
        shows = isinstance(model, type) and issubclass(model, Shown)
        found += shows
        keeps = bool(KEEPS & set(route.endpoint.__code__.co_names))
        if not (keeps if shows else route.path.endswith(tuple(NOTHING_OF_A_CASE))):
            silent.append(route.path)
    assert silent == []
    assert found > 20
