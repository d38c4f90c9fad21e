"""`refnet reconcile`: the comparison that a worker makes on a timer, made now, with what it found."""

from services.runtime import build, check_database, check_peer
from services.settings import Settings
from shared.casework.lines.recovery import RecoveryView, recovery_of
from shared.exchange.anchor import Anchor, check_anchor
from shared.exchange.reconcile import Report
from shared.kit.errors import RefnetError


async def reconcile_now(settings: Settings, agency_id: str, only: str | None) -> tuple[list[Report], RecoveryView]:
    """Compares with every peer, or with one; raises RefnetError where there is no direct line at all."""
    agency = build(settings, agency_id)
    line = agency.direct_line(settings)
    check_peer(agency, only)
    if line is None:
        raise RefnetError("This agency has no direct line; give it and its peers an exchange_url, and run `refnet certificates`.")
    try:
        await check_database(agency)
        await check_anchor(agency.database, Anchor(settings.anchor(agency_id)), agency.here.peers, agency.hooks)
        reconciler = agency.exchange(settings).reconciler
        await reconciler.recall_keys()
        reports = [await reconciler.reconcile(peer, line) for peer in agency.here.peers if only in (None, peer)]
        async with agency.database.read() as tx:
            return reports, await recovery_of(tx, agency.parts.look.local_facts)
    finally:
        await line.close()
        await agency.database.close()
