"""Her no through the API: kept like her yes, at once, and by the same rules as on the page."""

import pytest
from agencies import Refused, World, consent, open_case, refer

pytestmark = pytest.mark.parametrize("world", ["sqlite"], indirect=True)
NO = {"recipient": "social_welfare", "how": "spoken", "language": "bem"}


async def test_a_no_takes_back_what_was_agreed_to_and_is_kept_once(world: World) -> None:
    desk, worker = await world["police"].sign_in("desk"), await world["health"].sign_in("nurse")
    case_id = (await desk.post("/cases", {"needs": {"age_band": "25-49", "sex": "female", "language": "bem"}}))["id"]
    await consent(desk, case_id, "health", "needs")
    sent = await refer(desk, case_id, None, "health")
    await world.settle()
    no = await desk.post(f"/cases/{case_id}/refusals", {**NO, "recipient": "health"}, **{"Idempotency-Key": "once"})
    again = await desk.post(f"/cases/{case_id}/refusals", {**NO, "recipient": "health"}, **{"Idempotency-Key": "once"})
    assert again == no
    assert (no["recipient"], no["how"], no["language"], no["interpreter"]) == ("health", "spoken", "bem", False)
    assert [one["taken_back_at"] is None for one in (await desk.get(f"/cases/{case_id}/consents"))["items"]] == [False]
    assert (await desk.get(f"/referrals/{sent['id']}"))["status"] == "cancelled"
    await world.settle()
    assert (await worker.get(f"/referrals/{sent['id']}"))["status"] == "cancelled"
    for wrong, status in (({"recipient": "nobody"}, 404), ({"how": "none_unconscious"}, 422), ({"how": "not_known"}, 422)):
        with pytest.raises(Refused) as refused:
            await desk.post(f"/cases/{case_id}/refusals", {**NO, **wrong})
        assert refused.value.status == status, wrong


async def test_of_a_child_the_law_has_told_all_the_same_and_nothing_more(world: World) -> None:
    desk, worker = await world["police"].sign_in("desk"), await world["social_welfare"].sign_in("worker")
    case_id, incident_id = await open_case(desk)
    await consent(desk, case_id, "social_welfare", "needs")
    sent = await refer(desk, case_id, incident_id, "social_welfare", services=["child_protection", "psychosocial"])
    await world.settle()
    await desk.post(f"/cases/{case_id}/refusals", NO)
    await world.settle()
    stands = [(one["basis"], one["items"], one["taken_back_at"] is None) for one in
              (await desk.get(f"/cases/{case_id}/consents"))["items"]]  # fmt: skip
    assert stands == [("legal_basis", ["req"], True), ("consent", ["req", "needs"], False)]
    told = {one["id"]: one for one in (await worker.get("/referrals?direction=in"))["items"]}
    assert told.pop(sent["id"])["status"] == "cancelled"
    (anew,) = told.values()
    assert (anew["status"], anew["services"]) == ("issued", ["child_protection"])
