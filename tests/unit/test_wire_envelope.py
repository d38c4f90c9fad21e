"""Envelopes and topics: what was framed is read back to the byte, and broken bytes are one kind of error."""

from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contracts.wire.envelope import (
    CONTENT_BYTES_MAX,
    INNER_BYTES_MAX,
    PADDED_BYTES,
    Event,
    Header,
    Kind,
    Unopenable,
    pad,
    unframe,
    unpad,
    unsigned,
    unwrap,
    wrap,
)
from shared.contracts.wire.topics import LANES, Direction, direction_of, lane_of

HEADER = Header(kind=Kind.EVENT, sender="police", recipient="health", incarnation=uuid4(), seq=7, salt=b"s" * 16)
EVENT = Event(
    id=uuid4(),
    source="police",
    type="referral.issued",
    dataversion=1,
    subject=uuid4(),
    time=datetime(2026, 1, 5, tzinfo=UTC),
    recordedtime=datetime(2026, 1, 5, tzinfo=UTC),
    data={"urgency": "acute"},
)


def frame(header: Header, content: bytes, signature: bytes) -> bytes:
    return unsigned(header, content, len(signature)) + signature


def test_an_inner_form_is_read_back_to_the_byte() -> None:
    inner = unframe(frame(HEADER, EVENT.to_bytes(), b"x" * 64))
    assert (inner.header, inner.content, inner.signature) == (HEADER, EVENT.to_bytes(), b"x" * 64)
    assert Event.model_validate_json(inner.content) == EVENT


def test_an_envelope_shows_its_suite_and_key_only() -> None:
    for id_ in (b"\0" * 11, b"health-1\0\0\0", b"\0health-1\0\0"):  # an id is any eleven bytes
        assert unwrap(wrap(0, id_, b"sealed")) == (0, id_, b"sealed")
    envelope = wrap(0, b"health-key1", b"sealed")
    assert b"police" not in envelope


@given(st.binary(max_size=400))
def test_noise_is_unopenable(noise: bytes) -> None:
    with pytest.raises(Unopenable):
        unframe(noise)


@given(st.data())
def test_a_truncated_inner_form_is_never_taken_for_an_event_of_the_same_leaf(data: st.DataObject) -> None:
    whole = frame(HEADER, EVENT.to_bytes(), b"")
    cut = whole[: data.draw(st.integers(0, len(whole) - 1))]
    try:
        assert unframe(cut).leaf != unframe(whole).leaf
    except Unopenable:
        assert len(cut) < len(whole)


def test_an_event_without_a_slot_is_unopenable() -> None:
    with pytest.raises(Unopenable, match="no slot"):
        unframe(frame(HEADER.model_copy(update={"seq": None}), b"{}", b""))


def test_an_oversize_event_is_refused_before_it_is_framed() -> None:
    with pytest.raises(ValueError, match="over the limit"):
        frame(HEADER, b"x" * (CONTENT_BYTES_MAX + 1), b"")


@given(st.binary(max_size=5_000))
def test_what_is_padded_has_one_of_four_sizes_and_is_read_back(inner: bytes) -> None:
    assert len(pad(inner)) in PADDED_BYTES
    assert unpad(pad(inner)) == inner


def test_the_largest_content_still_fits_into_the_largest_size() -> None:
    station = HEADER.model_copy(update={"sender": "p" * 32, "recipient": "h" * 32, "signer": b"k" * 11, "seq": 2**63 - 1})
    inner = frame(station, b"x" * CONTENT_BYTES_MAX, b"s" * 64)
    assert len(inner) <= INNER_BYTES_MAX
    assert unframe(unpad(pad(inner))).content == b"x" * CONTENT_BYTES_MAX


@pytest.mark.parametrize("broken", [b"", b"x" * 1_023, pad(b"said")[:-1] + b"!", b"\xff" * 1_024])
def test_broken_padding_is_unopenable(broken: bytes) -> None:
    with pytest.raises(Unopenable, match="padding|sizes"):
        unpad(broken)


def test_topic_names_come_in_pairs_and_are_read_back() -> None:
    direction = Direction("police", "social_welfare")
    assert direction_of(direction.topic) == direction == direction_of(direction.express_topic)
    with pytest.raises(ValueError, match="not the name"):
        direction_of("refnet.police.v1")


@given(st.uuids())
def test_a_case_keeps_its_lane_and_the_lane_needs_the_secret(case: UUID) -> None:
    assert lane_of(case, b"secret") == lane_of(case, b"secret")
    assert 0 <= lane_of(case, b"secret") < LANES
