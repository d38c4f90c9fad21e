"""What browsers get is what the sources compile to, and it holds nothing that is not ours to use."""

import re
import subprocess
from pathlib import Path

import pytest
from npm import installed

from shared.casework.pages.frame import ROOM, STATIC

ROOT = Path(__file__).parents[2]
ASSETS = ROOM / "assets"
BUILT = ("refnet.css", "refnet.rtl.css", "refnet.js")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = installed("pages-assets", ASSETS, "build.mjs", "scripts", "styles", scripts=True)
    target = tmp_path_factory.mktemp("built")
    subprocess.run(["node", "build.mjs", str(target)], cwd=home, check=True, capture_output=True, timeout=100)
    return target


@pytest.mark.parametrize("name", BUILT)
def test_building_again_gives_the_committed_file(built: Path, name: str) -> None:
    assert (built / name).read_bytes() == (STATIC / name).read_bytes(), "build it again: npm ci && node build.mjs"


def test_the_font_and_the_crown_of_the_british_government_are_left_out() -> None:
    for name in BUILT:
        text = (STATIC / name).read_text()
        assert "GDS Transport" not in text
        assert "crown" not in text.lower()
        assert not re.search(r"url\(.?https?:", text)


def test_a_tables_head_breaks_between_syllables_only() -> None:
    """On a narrow screen the words of a longer language were cut where they touched the edge; the table scrolls instead."""
    rules = re.findall(r"\.app-scroll \.govuk-table__header[^{]*\{([^}]*)\}", (STATIC / "refnet.css").read_text())
    assert any("hyphens:auto" in rule for rule in rules)
    assert not any("overflow-wrap:anywhere" in rule for rule in rules)


@pytest.mark.parametrize("name", ["refnet.css", "refnet.rtl.css"])
def test_on_a_narrow_screen_what_is_cut_off_shows_that_it_goes_on_and_a_files_number_breaks(name: str) -> None:
    css = (STATIC / name).read_text()
    [scrolls] = [rule for rule in re.findall(r"\.app-scroll\{([^}]*)\}", css) if "background" in rule]
    assert scrolls.count("no-repeat local") == scrolls.count("no-repeat scroll") == 2
    assert "(-" not in scrolls  # turned for the other direction, the shadows would stand on the wrong sides
    [breaks] = re.findall(
        r"\.app-code--breaks\{([^}]*)\}", css
    )  # 36 characters in one piece made a page of 320 px wider than itself
    assert "overflow-wrap:anywhere" in breaks
    # Nor does a long choice of a list make its column wider than the page.
    assert re.search(r"\.app-two\{[^}]*grid-template-columns:minmax\(0, ?1fr\)", css)
    assert "app-code--breaks" in (ROOM.parent / "exports" / "templates" / "list.html").read_text()


def test_an_act_that_narrow_screens_hide_in_the_page_stands_in_their_bar() -> None:
    """One page had no act at all on a telephone: care without an answer."""
    pages = {page: page.read_text() for top in ("shared", "services") for page in (ROOT / top).rglob("templates/**/*.html")}
    assert [str(page) for page, text in pages.items() if "app-in-thumb" in text and "{% block thumb %}" not in text] == []
    # Hidden where nothing stands below, it would be nowhere.
    assert not re.search(r"(?<!\.app-acts-below )\.app-in-thumb\{", (STATIC / "refnet.css").read_text())
