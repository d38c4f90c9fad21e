"""Plain pictures of numbers as SVG, made here: bars, and a line over months. No script, no style attribute, nothing fetched.

A picture says its numbers in words too (`<title>`, `<desc>`), is mirrored where text runs from right to left, and is 320 units
wide, so that its letters keep their size on the narrowest screen. One colour: that of the text around it, because no direction is
good.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

WIDTH = 320  # units, as many as the narrowest screen has pixels
LETTER = 12  # units high
LETTER_WIDTH = 6.6  # of a middling letter at that height; a longer label is cut, and stands whole in the table beneath
BAR, GAP = 14, 10
NUMBER_ROOM = 44  # beside the longest bar, for its number
PLOT_HEIGHT, MARGIN = 110, 18
NONE = "–"  # what is not known has no bar and no point


@dataclass(frozen=True, slots=True)
class Point:
    """One number and what it is of; None is not known. `short` stands where there is no room for the label."""

    label: str
    value: float | None
    short: str = ""


@dataclass(frozen=True, slots=True)
class Picture:
    """What a picture is called, what it says in words, and a name that no other picture of the page has."""

    name: str
    title: str
    description: str
    is_rtl: bool = False


def shown(value: float | None) -> str:
    """A number as a picture writes it: whole where it is whole."""
    return NONE if value is None else f"{value:g}"


def in_words(points: Sequence[Point], colon: str = ": ", comma: str = "; ") -> str:
    """The numbers of a picture as a sentence has them."""
    return comma.join(f"{point.label}{colon}{shown(point.value)}" for point in points)


def bars(of: Picture, points: Sequence[Point]) -> Markup:
    """A bar for each, one beneath the other, in the order in which they are given: nothing is ranked."""
    longest = max((point.value or 0 for point in points), default=0) or 1
    room = WIDTH - NUMBER_ROOM
    step = LETTER + BAR + GAP
    parts = []
    for n, point in enumerate(points):
        top = n * step
        length = room * (point.value or 0) / longest
        parts.append(_text(of, 0, top + LETTER, _cut(point.label)))
        parts.append(_bar(of, top + LETTER + 4, length))
        parts.append(_text(of, length + 4, top + LETTER + BAR + 2, shown(point.value), bold=True))
    return _drawn(of, max(step * len(points), step), parts)


def line(of: Picture, points: Sequence[Point]) -> Markup:
    """A line through them in their order, from where reading begins; broken where a number is not known."""
    highest = max((point.value or 0 for point in points), default=0) or 1
    step = (WIDTH - 2 * MARGIN) / max(len(points) - 1, 1)
    floor = MARGIN + PLOT_HEIGHT
    parts = [_axis(floor)]
    run: list[tuple[float, float]] = []
    for n, point in enumerate(points):
        x = _x(of, MARGIN + n * step)
        parts.append(_text(of, MARGIN + n * step, floor + LETTER + 4, point.short or point.label, middle=True))
        if point.value is None:
            parts += _run(run)
            run = []
            continue
        y = floor - PLOT_HEIGHT * point.value / highest
        run.append((x, y))
        parts.append(Markup('<circle cx="{}" cy="{}" r="3" fill="currentColor"/>').format(_n(x), _n(y)))
        parts.append(_text(of, MARGIN + n * step, y - 6, shown(point.value), middle=True))
    return _drawn(of, floor + LETTER + 10, [*parts, *_run(run)])


def _run(run: Sequence[tuple[float, float]]) -> list[Markup]:
    if len(run) < 2:
        return []
    points = " ".join(f"{_n(x)},{_n(y)}" for x, y in run)
    return [Markup('<polyline points="{}" fill="none" stroke="currentColor" stroke-width="2"/>').format(points)]


def _axis(y: float) -> Markup:
    return Markup('<line x1="0" x2="{}" y1="{}" y2="{}" stroke="currentColor" stroke-opacity="0.5"/>').format(WIDTH, _n(y), _n(y))


def _bar(of: Picture, y: float, length: float) -> Markup:
    x = WIDTH - length if of.is_rtl else 0
    return Markup('<rect x="{}" y="{}" width="{}" height="{}" fill="currentColor" fill-opacity="0.7"/>').format(
        _n(x), _n(y), _n(length), BAR
    )


def _text(of: Picture, at: float, y: float, text: str, *, bold: bool = False, middle: bool = False) -> Markup:
    """Text that begins, or has its middle, so far from where reading begins."""
    weight = Markup(' font-weight="700"') if bold else ""
    anchor = "middle" if middle else "start"
    return Markup('<text x="{}" y="{}" text-anchor="{}" font-size="{}" fill="currentColor"{}>{}</text>').format(
        _n(_x(of, at)), _n(y), anchor, LETTER, weight, text
    )


def _cut(label: str) -> str:
    most = int(WIDTH / LETTER_WIDTH)
    return label if len(label) <= most else f"{label[: most - 1]}…"


def _x(of: Picture, at: float) -> float:
    return WIDTH - at if of.is_rtl else at


def _n(value: float) -> str:
    return f"{round(value, 2):g}"


def _drawn(of: Picture, height: float, parts: Sequence[Markup]) -> Markup:
    return Markup(
        '<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 {} {}" direction="{}" aria-labelledby="{}-title {}-desc">'
        '<title id="{}-title">{}</title><desc id="{}-desc">{}</desc>{}</svg>'
    ).format(
        WIDTH, _n(height), "rtl" if of.is_rtl else "ltr", of.name, of.name, of.name, escape(of.title), of.name,
        escape(of.description), Markup("").join(parts),
    )  # fmt: skip
