"""Pictures of numbers: well-formed, plain, mirrored, and their numbers are said in words."""

import re
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markupsafe import Markup

from shared.kit.charts import WIDTH, Picture, Point, bars, in_words, line

SVG = "{http://www.w3.org/2000/svg}"
POINTS = [
    Point("Ndola <Central> & Masaiti", 12, "1"),
    Point("x" * 120, None, "2"),
    Point("Luanshya", 0, "3"),
    Point("Fees", 2.5, "4"),
]


def picture(*, is_rtl: bool) -> Picture:
    return Picture("reports", "Reports “2026”", in_words(POINTS), is_rtl)


@pytest.mark.parametrize("is_rtl", [False, True])
@pytest.mark.parametrize("draw", [bars, line])
def test_a_picture_is_well_formed_says_its_numbers_in_words_and_carries_no_style_or_script(draw, is_rtl: bool) -> None:  # type: ignore[no-untyped-def]
    drawn = draw(picture(is_rtl=is_rtl), POINTS)
    assert isinstance(drawn, Markup)
    root = ET.fromstring(drawn)
    assert (root.get("role"), root.get("direction")) == ("img", "rtl" if is_rtl else "ltr")
    title, description = root.find(f"{SVG}title"), root.find(f"{SVG}desc")
    assert title is not None
    assert description is not None
    assert root.get("aria-labelledby") == f"{title.get('id')} {description.get('id')}"
    assert description.text == f"Ndola <Central> & Masaiti: 12; {'x' * 120}: –; Luanshya: 0; Fees: 2.5"
    written = {text.text for text in root.iter(f"{SVG}text")}
    assert {"12", "0", "2.5"} <= written
    assert not re.search(r"style=|<script|<style|href|url\(", drawn)
    assert {element.tag.removeprefix(SVG) for element in root.iter()} <= {
        "svg",
        "title",
        "desc",
        "text",
        "rect",
        "line",
        "polyline",
        "circle",
    }


def test_bars_and_lines_are_mirrored_where_text_runs_from_right_to_left() -> None:
    left, right = (ET.fromstring(line(picture(is_rtl=rtl), POINTS)) for rtl in (False, True))
    xs = [[float(dot.get("cx", "")) for dot in root.iter(f"{SVG}circle")] for root in (left, right)]
    assert [WIDTH - x for x in xs[0]] == pytest.approx(xs[1])
    left, right = (ET.fromstring(bars(picture(is_rtl=rtl), POINTS)) for rtl in (False, True))
    for one, other in zip(left.iter(f"{SVG}rect"), right.iter(f"{SVG}rect"), strict=True):
        length = float(one.get("width", ""))
        assert one.get("x") == "0"
        assert float(other.get("x", "")) == pytest.approx(WIDTH - length)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=60), st.none() | st.integers(0, 10_000)),
        max_size=15,
    )
)
def test_whatever_the_numbers_are_nothing_is_drawn_outside(numbers: list[tuple[str, int | None]]) -> None:
    points = [Point(label, value) for label, value in numbers]
    for draw in (bars, line):
        root = ET.fromstring(draw(Picture("p", "t", in_words(points)), points))
        height = float((root.get("viewBox") or "").split()[3])
        for rect in root.iter(f"{SVG}rect"):
            assert 0 <= float(rect.get("width", "")) <= WIDTH
        for dot in root.iter(f"{SVG}circle"):
            assert 0 <= float(dot.get("cx", "")) <= WIDTH
            assert 0 <= float(dot.get("cy", "")) <= height
