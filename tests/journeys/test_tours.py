"""`refnet simulate` on a small programme with a mobile unit and an oversight body: real processes, of which one has no line for
forty hours. What is so is said; and with a line that was never away, a prosecutor who is told late and an id that lies at the
oversight body, each of the three is found."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from processes import block_of_ports

from services import staging
from services.simulate import overseen, prosecutors, run
from services.simulate.caseload import WITHOUT_A_LINE
from services.simulate.overseen import Overseen, of_cases, tables_of
from services.simulate.run import Order, Outcome, in_words, simulate
from shared.casework.accounts.commands import find_account
from shared.kit.db import Database

SMALL = Path(__file__).parents[1] / "support" / "programmes" / "xx-tour.yaml"
DEADLINE_S = 900  # a minute on quiet cores
pytestmark = [pytest.mark.long, pytest.mark.timeout(DEADLINE_S)]


def replayed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Outcome:
    monkeypatch.setenv("REFNET_HOME", str(folder))
    with block_of_ports() as port:
        return simulate(Order(str(SMALL), broker="trial", port=port), lambda _words: None, is_watched=False)


def test_what_a_unit_wrote_without_a_line_is_where_it_belongs_and_oversight_holds_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome = replayed(tmp_path, monkeypatch)
    told = in_words(outcome)
    assert outcome.is_met, told
    assert [(one.agency, one.without_a_line, one.early, one.lacking) for one in outcome.tours] == [
        ("riders", WITHOUT_A_LINE, (), ())
    ] * 2
    for one in outcome.tours:
        assert one.waited >= 5  # of each who came one to a station, of the first also one to a clinic and one to an examiner
    assert outcome.tours[0].numbers[0] < outcome.tours[1].numbers[0]
    assert outcome.handed_over is not None
    begun = outcome.handed_over.begun_at_units
    assert begun is not None
    assert begun.keys() == {"in_time"}
    assert begun["in_time"] >= 6
    assert max(outcome.handed_over.hours) <= 24
    (held,) = outcome.overseen
    assert (held.agency, held.found, held.untold) == ("council", (), ())
    assert held.told >= 4
    assert "without a line" in told


def test_a_line_that_was_there_a_late_hand_over_and_an_id_at_oversight_fail_the_replay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def planted(agency: str, own: Database, others: Mapping[str, Database], untold: Iterable[str]) -> Overseen:
        one = min(of_cases(await tables_of(others["police"])))
        async with own.write() as tx:
            (await find_account(tx, "supervisor")).facility = one
        return await look(agency, own, others, untold)

    def with_a_line(stage: staging.Stage, agency: str, _role: Any) -> Any:
        return staging.begin(stage, agency, "serve")

    look = overseen.look
    monkeypatch.setattr(overseen, "look", planted)
    monkeypatch.setattr(run, "begin", with_a_line)
    monkeypatch.setattr(prosecutors, "handed_after", lambda _limit, _share: timedelta(hours=26))
    outcome = replayed(tmp_path, monkeypatch)
    told = in_words(outcome)
    assert not outcome.is_met
    assert (outcome.lost, outcome.behind) == (0, ())
    assert all(one.early and not one.lacking for one in outcome.tours), told  # what was written last may be on its way still
    assert {line.id for line in outcome.lines if line.met is False} == {"handed_over_in_time"}
    assert outcome.handed_over is not None
    assert set(outcome.handed_over.begun_at_units or ()) == {"handed_late"}
    (held,) = outcome.overseen
    assert len(held.found) == 1
    for words in ("HAD LEFT BEFORE", "NOT ALL OF THEM IN TIME", "NOT MET", "holds MORE THAN COUNTS"):
        assert words in told
