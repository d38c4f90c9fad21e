"""Numbers as people type them."""

import pytest

from shared.kit.digits import typed


@pytest.mark.parametrize("written", ["271828", "271 828", " 27 18 28 ", "271\u00a0828", "۲۷۱ ۸۲۸", "٢٧١٨٢٨"])
def test_a_number_is_the_same_however_it_is_typed(written: str) -> None:
    assert typed(written) == "271828"


def test_letters_stay() -> None:
    assert typed("V-00017-K") == "V-00017-K"
