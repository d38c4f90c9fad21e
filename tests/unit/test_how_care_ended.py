"""How care ended is what its lines say, and never more than they say."""

import pytest

from services.health.care.commands import CareResult
from services.health.care.pages import EndingUnclear, ending
from shared.contracts.casework.codes import OutcomeCode

GIVEN, REFUSED, OUT = CareResult.GIVEN, CareResult.REFUSED, CareResult.NONE_IN_STOCK


@pytest.mark.parametrize(
    ("lines", "outcome"),
    [
        ([GIVEN, GIVEN], OutcomeCode.SERVED),
        ([GIVEN, REFUSED], OutcomeCode.SERVED_PARTLY),
        ([GIVEN, OUT, REFUSED], OutcomeCode.SERVED_PARTLY),
        ([REFUSED], OutcomeCode.SHE_DECLINED),
        ([OUT, OUT], OutcomeCode.NOT_AVAILABLE),
    ],
)
def test_the_lines_say_how_it_ended(lines: list[CareResult], outcome: OutcomeCode) -> None:
    assert ending(lines, None) is outcome


@pytest.mark.parametrize("lines", [[], [REFUSED, OUT]])
def test_somebody_is_asked_where_the_lines_do_not_say_it(lines: list[CareResult]) -> None:
    with pytest.raises(EndingUnclear):
        ending(lines, None)
    assert ending(lines, OutcomeCode.ADMITTED) is OutcomeCode.ADMITTED


@pytest.mark.parametrize("missed", [REFUSED, OUT])
def test_everything_was_given_is_never_said_beside_a_line_that_was_not(missed: CareResult) -> None:
    with pytest.raises(EndingUnclear):
        ending([GIVEN, missed], OutcomeCode.SERVED)
    assert ending([], OutcomeCode.SERVED) is OutcomeCode.SERVED  # without lines she says it herself
