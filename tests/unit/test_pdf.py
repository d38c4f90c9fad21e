"""Numbers on paper: the figures of a code stand in the order in which they are said, whatever way the words run."""

from shared.kit.pdf import Document


def drawn(*, is_rtl: bool, by_words: bool = False) -> str:
    """What a page draws that holds one number."""
    document = Document("A6", margin_mm=9, is_rtl=is_rtl)
    document.set_compression(False)
    document.add_page()
    if by_words:
        document.words("16 50 21", 34)
    else:
        document.digits("16 50 21", 34, 9, 9, 87, 24)
    stream = document.bytes().split(b"stream")[1]
    return "".join(line for line in stream.decode("latin-1").splitlines() if "T" in line)


def test_figures_are_drawn_alike_in_both_directions() -> None:
    assert "Tj" in drawn(is_rtl=False) or "TJ" in drawn(is_rtl=False)
    assert drawn(is_rtl=True) == drawn(is_rtl=False)
    assert drawn(is_rtl=True, by_words=True) != drawn(is_rtl=False, by_words=True)  # among words they would not be
