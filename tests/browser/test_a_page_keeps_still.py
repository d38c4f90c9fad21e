"""What changes by itself on a page moves nothing that somebody is about to touch: the click would land beside its answer."""

import pytest
from town import Town

pytestmark = [pytest.mark.long, pytest.mark.timeout(120)]


@pytest.mark.parametrize("width", [1280, 390, 320])
@pytest.mark.parametrize("language", ["en", "fr", "fa_AF", "ps"])
def test_the_answers_stay_where_they_are_while_the_clock_is_worked_out(town: Town, language: str, width: int) -> None:
    officer = town.person("officer", language=language, width=width)
    officer.open("/cases/new")
    answer, clock = officer.page.locator("label[for=came_with-2]"), officer.page.locator("#clock")
    top = "e => e.getBoundingClientRect().top + scrollY"
    place, said = answer.evaluate(top), clock.inner_text()
    for hours in ("22", "100"):
        officer.write("#at_most", hours)
        officer.page.keyboard.press("Tab")
        officer.page.wait_for_function("said => document.querySelector('#clock').innerText !== said", arg=said)
        said = clock.inner_text()
        assert answer.evaluate(top) == place, said
    officer.leave()
