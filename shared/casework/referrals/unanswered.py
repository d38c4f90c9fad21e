"""Where a survivor could go whose request nobody has seen past its limit: proposed to the desk that sent it, which asks her.
Nothing goes anywhere by itself."""

from datetime import datetime

from shared.casework.agreements import views as agreements
from shared.casework.directory.places import Place, places
from shared.casework.here import Here
from shared.casework.referrals import story
from shared.casework.referrals.pathways import paths
from shared.casework.referrals.tables import Referral
from shared.casework.sharing import may_ask, releases
from shared.contracts.casework.codes import ConsentItem, Flag, ReferralState, ServicePackage
from shared.kit.db import Transaction


def is_unanswered(referral: Referral) -> bool:
    """Whether a request that was sent from here is past the limit within which somebody there was to see it, and may still be sent
    elsewhere."""
    is_late = referral.direction == "out" and referral.is_open and Flag.UNACKNOWLEDGED in referral.flags
    return is_late and referral.state == ReferralState.ISSUED and story.standing_of(referral).cancel_pending is None


async def other_places(tx: Transaction, here: Here, referral: Referral, local: datetime) -> list[Place]:
    """Places of whom she has agreed that they may know, and that offer all that was asked for: the nearest one that is open now
    and can take somebody; where there is none, all of them, the nearest first."""
    services = [ServicePackage(service) for service in referral.services]
    told = await releases(tx, here, referral.case_id, here.serving)
    agreed = [
        peer for peer, one in told.items() if ConsentItem.REQ in one.items and len(may_ask(one, services)) == len(services)
    ]  # fmt: skip
    said_of = await paths(tx, here, agreed, referral.desk, local, services)
    today, silent = here.day_of(tx.clock.now()), (referral.recipient, story.standing_of(referral).facility or referral.to_facility)
    found = [
        place for place in await places(tx, here, agreed, referral.desk, local, services, paths=said_of)
        if (place.agency, place.id) != silent and agreements.refusal(here, place.agency, place.id, services, today) is None
    ]  # fmt: skip
    return [place for place in found if place.is_open and place.path.takes_now][:1] or found
