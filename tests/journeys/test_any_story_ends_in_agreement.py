"""Stateful: no sequence of commands, duplicates, reorderings and races makes the two ends of a referral disagree.

Real agencies on real databases; the test carries the lines, doubles and shuffles what lies on them, and takes them down.
"""

import asyncio
import random
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from agencies import PLACES, Desk, Refused, World, consent, open_case, refer
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from schema import sqlite_at_head

from shared.casework.referrals import story
from shared.casework.referrals.tables import Referral
from shared.contracts.casework import lifecycle
from shared.contracts.casework.codes import ENDED, ReferralState

EXAMPLES = 6  # each is a story of its own on two fresh databases
EXAMPLES_LONG = 500
STEPS = 20
LEGAL_REFUSALS = {404, 409, 422}  # 422: the next place that is named is the one she is sent away from

TRANSITIONS: dict[str, list[dict[str, Any]]] = {
    "acknowledge": [{}],
    "accept": [{}],
    "decline": [{"reason_code": "no_staff"}, {"reason_code": "no_place", "next_place": "ndola_hospital"}],
    "redirect": [{"to_facility": "ndola_hospital"}, {"to_facility": "ndola_clinic"}],
    "suggest": [{"to_agency": "social_welfare"}],
    "arrive": [{}, {"feedback": True}, {"feedback": False}],
    "not-here": [{}],
    "start": [{}],
    "hold": [{}],
    "resume": [{}],
    "not-attended": [{}],
    "close": [
        {"outcome_code": "served"},
        {"outcome_code": "admitted", "feedback": True},
        {"outcome_code": "moved_away", "feedback": True},
    ],
    "confirm-cancel": [{}],
    "refuse-cancel": [{}],
}
ISSUERS: dict[str, list[dict[str, Any]]] = {
    "cancel": [{"reason_code": "she_changed_her_mind"}],
    "set-out": [{"mode": "car", "escort": "officer"}],
    "told-by-phone": [{"post": "duty_nurse"}],
}


def bodies(table: dict[str, list[dict[str, Any]]]) -> st.SearchStrategy[tuple[str, dict[str, Any]]]:
    return st.sampled_from([(move, body) for move, choices in table.items() for body in choices])


class Story(RuleBasedStateMachine):
    """Police and health, one case, up to three referrals."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self.referrals: list[str] = []
        self.run(self.begin())

    def run(self, work: Any) -> Any:
        return self.loop.run_until_complete(work)

    async def begin(self) -> None:
        folder = Path(self.folder.name)
        urls = {agency: await asyncio.to_thread(sqlite_at_head, folder / f"{agency}.db", agency) for agency in PLACES}
        self.world = await World.make(urls)
        self.police: Desk = await self.world["police"].sign_in("one")
        self.health: Desk = await self.world["health"].sign_in("one")
        self.case, _ = await open_case(self.police)
        self.consent: Any = None

    async def attempt(self, work: Any) -> Any:
        """A refusal is an answer like any other, as long as it is one that was meant."""
        try:
            return await work
        except Refused as refused:
            if refused.status not in LEGAL_REFUSALS:
                raise
            return None

    @initialize(feedback=st.booleans(), urgency=st.sampled_from(["acute", "routine"]), is_heard=st.booleans())
    def a_referral_is_on_its_way(self, feedback: bool, urgency: str, is_heard: bool) -> None:
        self.she_consents(feedback)
        self.issue(urgency)
        if is_heard:
            self.run(self.world.deliver("police", "health"))

    @precondition(lambda self: self.consent is None)
    @rule(feedback=st.booleans())
    def she_consents(self, feedback: bool) -> None:
        self.consent = self.run(consent(self.police, self.case, "health", *(["fb"] if feedback else [])))

    @precondition(lambda self: self.consent is not None and len(self.referrals) < 3)
    @rule(urgency=st.sampled_from(["acute", "urgent", "routine"]))
    def issue(self, urgency: str) -> None:
        times = {"earliest_at": "2026-01-04T12:00:00Z", "latest_at": "2026-01-04T13:00:00Z"}
        incident = self.run(self.police.post(f"/cases/{self.case}/incidents", {"incident_type": "rape", **times}))
        sent = self.run(self.attempt(refer(self.police, self.case, incident["id"], "health", urgency=urgency)))
        assert sent is not None
        self.referrals.append(sent["id"])

    @precondition(lambda self: self.referrals)
    @rule(which=st.integers(0, 2), move=bodies(ISSUERS))
    def the_desk_does(self, which: int, move: tuple[str, dict[str, Any]]) -> None:
        referral = self.referrals[which % len(self.referrals)]
        self.run(self.attempt(self.police.post(f"/referrals/{referral}/{move[0]}", move[1])))

    @precondition(lambda self: self.referrals)
    @rule(which=st.integers(0, 2))
    def the_desk_asks_to_cancel(self, which: int) -> None:
        self.the_desk_does(which, ("cancel", {"reason_code": "duplicate"}))

    @precondition(lambda self: self.referrals)
    @rule(which=st.integers(0, 2), move=bodies(TRANSITIONS))
    def the_clinic_does(self, which: int, move: tuple[str, dict[str, Any]]) -> None:
        referral = self.referrals[which % len(self.referrals)]
        self.run(self.attempt(self.health.post(f"/referrals/{referral}/{move[0]}", move[1])))

    @precondition(lambda self: self.consent is not None)
    @rule()
    def she_takes_it_back(self) -> None:
        self.run(self.police.take_back(self.case, self.consent))
        self.consent = None

    @rule(to_health=st.booleans(), seed=st.integers(0, 1_000))
    def a_line_delivers_doubled_and_shuffled(self, to_health: bool, seed: int) -> None:
        ends = ("police", "health") if to_health else ("health", "police")
        self.run(self.world.deliver(*ends, chance=random.Random(seed)))

    @rule(to_health=st.booleans(), seed=st.integers(0, 1_000))
    def a_line_loses_what_lies_on_it(self, to_health: bool, seed: int) -> None:
        """A wiped broker: the receipts ask for it again."""
        sender, recipient = ("police", "health") if to_health else ("health", "police")
        agency = self.world[sender]
        self.run(agency.flush())
        chance = random.Random(seed)
        agency.line = [one for one in agency.line if one.recipient != recipient or chance.random() < 0.5]

    @rule(days=st.sampled_from([0, 1, 8]))
    def time_passes(self, days: int) -> None:
        self.world.clock.advance(timedelta(days=days, minutes=7))
        for agency in ("police", "health"):
            self.run(self.world[agency].watcher.tick())

    @invariant()
    def every_standing_is_one_that_can_be(self) -> None:
        for agency in ("police", "health"):
            for referral in self.run(self.standings(agency)).values():
                standing = story.standing_of(referral)
                assert (standing.state is ReferralState.ON_HOLD) == (standing.held_from is not None)
                assert standing.state not in ENDED or standing.cancel_pending is None
                assert (standing.state is ReferralState.CLOSED) == (standing.outcome is not None)
                assert referral.state == standing.state

    async def standings(self, agency: str) -> dict[str, Referral]:
        async with self.world[agency].database.read() as tx:
            found = {id_: await tx.session.get(Referral, UUID(id_)) for id_ in self.referrals}
        return {id_: referral for id_, referral in found.items() if referral is not None}

    async def bring_home(self) -> None:
        """Lets the lines deliver, the receipts ask again, and whatever waits go."""
        for _ in range(3):
            await self.world.settle()
            self.world.clock.advance(timedelta(seconds=30))
        await self.world.settle()

    async def check_agreement(self) -> None:
        await self.bring_home()
        here, there = await self.standings("police"), await self.standings("health")
        for id_, issued in here.items():
            issuer = story.standing_of(issued)
            if id_ not in there:
                assert issuer.state is ReferralState.CANCELLED, f"the clinic never heard of a referral that is {issuer.state}"
                continue
            async with self.world["health"].database.read() as tx:
                end = await story.recipient_end(tx, self.world["health"].here, there[id_])
            assert lifecycle.agree(issuer, end), (issuer, end)
            assert issued.delivered_at is not None

    def teardown(self) -> None:
        try:
            self.run(self.check_agreement())
        finally:
            self.run(self.world.close())
            self.loop.close()
            self.folder.cleanup()


def as_test(examples: int) -> Any:
    """The stories as a test of so many examples."""

    class Stories(Story.TestCase):  # type: ignore[misc,valid-type]
        settings = settings(
            max_examples=examples, stateful_step_count=STEPS, deadline=None, suppress_health_check=list(HealthCheck)
        )

    return Stories


TestAnyStoryEndsInAgreement = pytest.mark.timeout(600)(as_test(EXAMPLES))  # half a minute when quiet
TestVeryManyStoriesEndInAgreement = pytest.mark.long(pytest.mark.timeout(3_600)(as_test(EXAMPLES_LONG)))
