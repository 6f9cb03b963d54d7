"""Refresh tokens, and what one means that is not the newest."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.auth.domain.sessions import Client, Kept, RefreshToken, SessionEnded, Verdict, judge

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
GRACE = timedelta(seconds=10)
HASHES = st.sampled_from([b"before", b"long before"])


def kept(ago: timedelta = GRACE, *, ended: bool = False, expired: bool = False) -> Kept:
    """Return a session that was refreshed some time ago."""
    last = NOW - ago
    expiry = NOW if expired else NOW + timedelta(days=1)
    return Kept("s", "u", b"before", last, expiry, NOW if ended else None)


@given(st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32))
def test_a_token_reads_as_it_was_written(family: bytes, current: bytes) -> None:
    """Whatever its bits."""
    token = RefreshToken(family, current)
    assert RefreshToken.read(str(token)) == token


@given(st.text(max_size=200))
def test_what_is_no_token_is_refused_and_breaks_nothing(text: str) -> None:
    """Anybody may send anything."""
    try:
        read = RefreshToken.read(text)
    except SessionEnded:
        return
    assert len(read.family) == len(read.current) == 32


@given(ago=st.timedeltas(timedelta(0), timedelta(days=1)), presented=HASHES, ended=st.booleans(), expired=st.booleans())
def test_only_the_last_token_before_the_newest_and_only_at_once_is_a_coincidence(
    ago: timedelta, presented: bytes, *, ended: bool, expired: bool
) -> None:
    """Of a session that holds every other old token is a theft; of one that doesn't, none is."""
    verdict = judge(kept(ago, ended=ended, expired=expired), presented, NOW, GRACE)
    if ended or expired:
        assert verdict is Verdict.ENDED
    elif presented == b"before" and ago < GRACE:
        assert verdict is Verdict.ROTATED
    else:
        assert verdict is Verdict.REUSED


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("", ""),
        ("not an address", "not an address"),
    ],
)
def test_a_network_is_what_a_guesser_cannot_change_at_will(address: str, network: str) -> None:
    """A customer of IPv6 has a /64."""
    assert Client(address).network == network
