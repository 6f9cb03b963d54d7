"""Codes of an authenticator, and recovery codes."""

import re
from datetime import UTC, datetime, timedelta

import pyotp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.auth.second_factor import new_recovery_code, step_of

# RFC 6238, appendix B: the secret of its test vectors for SHA-1.
RFC_SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "code"), [(59, "287082"), (1111111109, "081804"), (1234567890, "005924"), (20000000000, "353130")]
)
def test_a_code_is_that_of_the_standard(seconds: int, code: str) -> None:
    """The last six digits of RFC 6238's table."""
    assert step_of(RFC_SECRET, code, datetime.fromtimestamp(seconds, UTC)) == seconds // 30


@given(st.integers(-120, 120))
def test_a_code_is_taken_within_half_a_minute_of_its_time(seconds: int) -> None:
    """Clocks differ, and people type."""
    code = pyotp.TOTP(RFC_SECRET).at(NOW + timedelta(seconds=seconds))
    near = abs(seconds // 30) <= 1
    assert (step_of(RFC_SECRET, code, NOW) is not None) == near


@pytest.mark.parametrize("code", ["", "28708", "2870822", "28708a", "287 082"])
def test_what_is_no_code_is_wrong(code: str) -> None:
    """Too short, too long, or not digits."""
    assert step_of(RFC_SECRET, code, datetime.fromtimestamp(59, UTC)) is None


def test_recovery_codes_are_80_bits_that_people_can_type() -> None:
    """Without letters that look like digits."""
    codes = {new_recovery_code() for _ in range(100)}
    assert len(codes) == 100
    assert all(re.fullmatch(r"([A-Z2-7]{4}-){3}[A-Z2-7]{4}", code) for code in codes)
