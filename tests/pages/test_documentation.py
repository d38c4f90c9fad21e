"""The page of an agency's API: every operation, and nothing that a browser would fetch from anybody else."""

import re

import pytest
from agencies import World
from visitor import Visitor


@pytest.mark.parametrize("world", ["sqlite"], indirect=True)
async def test_the_api_is_shown_whole_and_asks_no_stranger(world: World) -> None:
    for agency in world.agencies.values():
        visitor = Visitor(agency.app)
        page = await visitor.open("/docs")
        operations = [f"{method.upper()} {path}" for path, methods in agency.app.openapi()["paths"].items() for method in methods]
        assert page.status == 200
        assert [one for one in operations if one not in page.words] == []
        assert re.findall(r"""(?:src|href|action)=["']?(?:https?:)?//[^"'>]*""", page.text) == []
        assert (
            "default-src 'none'" in page.headers["content-security-policy"]
            or "default-src 'self'" in page.headers["content-security-policy"]
        )
