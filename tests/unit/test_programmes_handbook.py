"""docs/programmes says what the models say, and its example is a profile."""

import re
from pathlib import Path

from shared.programmes.handbook import PAGE, PARTS, page
from shared.programmes.profile import check_file
from shared.programmes.references import parts_of
from shared.programmes.terms import WHOLE, Words
from shared.programmes.vocabulary import RULES

PAGE_TEXT = PAGE.read_text(encoding="utf-8")
SKETCHES = Path(__file__).parents[1] / "support" / "programmes"


def test_the_page_is_what_the_models_write() -> None:
    assert page(PAGE_TEXT) == PAGE_TEXT, "run `python -m shared.programmes.handbook`"


def test_its_example_is_a_profile_without_mistakes(tmp_path: Path) -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", PAGE_TEXT, re.DOTALL)
    file = tmp_path / "xx-river.yaml"
    file.write_text(example, encoding="utf-8")
    checked = check_file(file)
    assert [str(one) for one in checked.mistakes] == []
    assert checked.programme is not None
    assert checked.programme.pathways["post_to_clinic"].is_assumption(WHOLE) is False


def test_every_piece_that_a_profile_may_hold_has_its_table() -> None:
    programme = check_file(SKETCHES / "xx-anywhere.yaml").programme
    assert programme is not None
    used = {type(part) for _way, part in parts_of(programme)}
    assert used - {Words} <= {*PARTS, *RULES.values()}
