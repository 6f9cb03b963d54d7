"""Access tokens, judged as the edge judges them: signature, algorithm, issuer, audience and time."""

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from joserfc import jwt
from joserfc.errors import (
    BadSignatureError,
    DecodeError,
    ExpiredTokenError,
    InvalidClaimError,
    JoseError,
    UnsupportedAlgorithmError,
)
from joserfc.jwk import KeySet, OctKey, OKPKey

from services.auth.keys import SigningKey, generate
from services.auth.tokens import Grant, TokenIssuer

ISSUER, AUDIENCE = "https://auth.example", "ordermesh"
NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
LIFETIME = timedelta(minutes=15)
GRANT = Grant("0190f0a4-0000-7000-8000-000000000001", ("customer",), {"orders.read", "orders.create"})
KEY = generate(NOW)


def issued(key: SigningKey = KEY, issuer: str = ISSUER, audience: str = AUDIENCE, grant: Grant = GRANT) -> str:
    """Issue a token, right in all that isn't said."""
    return TokenIssuer(issuer, audience, LIFETIME).issue(grant, key, NOW).value


def verified(token: str, *keys: SigningKey, at: datetime = NOW) -> jwt.Token:
    """Read a token with the public halves of keys. Raises JoseError for one that is none."""
    public = KeySet([OKPKey.import_key({**key.key.as_dict(private=False), "kid": key.id}) for key in keys or (KEY,)])
    read = jwt.decode(token, public, algorithms=["EdDSA"])
    registry = jwt.JWTClaimsRegistry(
        now=lambda: int(at.timestamp()),
        leeway=0,
        iss={"essential": True, "value": ISSUER},
        aud={"essential": True, "value": AUDIENCE},
        exp={"essential": True},
    )
    registry.validate(read.claims)
    return read


def encoded(part: object) -> str:
    """Encode a part of a token as its form asks."""
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


def test_a_token_names_its_key_subject_roles_and_permissions_and_nothing_more() -> None:
    """Whoever logs it by accident learns an id."""
    read = verified(issued())
    assert read.header == {"alg": "EdDSA", "kid": KEY.id, "typ": "at+jwt"}
    assert set(read.claims) == {"iss", "aud", "sub", "iat", "exp", "jti", "roles", "permissions"}
    assert read.claims["sub"] == GRANT.subject
    assert read.claims["roles"] == ["customer"]
    assert read.claims["permissions"] == ["orders.create", "orders.read"]


def test_no_two_tokens_share_an_id() -> None:
    """Also not those of the same user in the same second."""
    assert verified(issued()).claims["jti"] != verified(issued()).claims["jti"]


def test_a_token_holds_until_its_lifetime_is_over() -> None:
    """To the second."""
    verified(issued(), at=NOW + LIFETIME - timedelta(seconds=1))
    with pytest.raises(ExpiredTokenError):
        verified(issued(), at=NOW + LIFETIME + timedelta(seconds=1))


@pytest.mark.parametrize("wrong", [{"issuer": "https://evil.example"}, {"audience": "somebody else"}])
def test_a_token_from_or_for_somebody_else_is_refused(wrong: dict[str, str]) -> None:
    """Its signature is right."""
    with pytest.raises(InvalidClaimError):
        verified(issued(**wrong))  # type: ignore[arg-type]


def test_a_token_is_read_with_the_key_that_it_names() -> None:
    """Keys that signed before stay published as long as their tokens hold."""
    older, newer = generate(NOW), generate(NOW)
    assert verified(issued(older), newer, older).header["kid"] == older.id


def test_a_token_of_a_key_that_is_not_published_is_refused() -> None:
    """Under its own name, and under that of a published one."""
    stranger = generate(NOW)
    with pytest.raises(JoseError):
        verified(issued(stranger))
    with pytest.raises(BadSignatureError):
        verified(issued(SigningKey(KEY.id, stranger.key, NOW, NOW)))


def test_a_token_that_is_not_signed_is_refused() -> None:
    """`alg: none`, RFC 8725, section 3.1."""
    _, claims, _ = issued().split(".")
    for algorithm in ("none", "None", "NONE"):
        with pytest.raises((UnsupportedAlgorithmError, DecodeError)):
            verified(f"{encoded({'alg': algorithm, 'kid': KEY.id})}.{claims}.")


def test_a_token_signed_with_the_public_key_as_a_secret_is_refused() -> None:
    """The algorithm is ours to say and not the token's, RFC 8725, section 2.1."""
    secret = OctKey.import_key(KEY.public.ljust(64, "="))
    forged = jwt.encode({"alg": "HS256", "kid": KEY.id}, verified(issued()).claims, secret, algorithms=["HS256"])
    with pytest.raises(UnsupportedAlgorithmError):
        verified(forged)


def test_a_token_whose_claims_were_changed_is_refused() -> None:
    """A customer doesn't become an admin by typing."""
    header, _, signature = issued().split(".")
    claims = {**verified(issued()).claims, "roles": ["admin"]}
    with pytest.raises(BadSignatureError):
        verified(f"{header}.{encoded(claims)}.{signature}")


def test_a_token_may_say_more() -> None:
    """What it says of itself can't be overwritten."""
    claims = verified(issued(grant=replace(GRANT, claims={"client_id": "c", "sub": "another"}))).claims
    assert (claims["client_id"], claims["sub"]) == ("c", GRANT.subject)


def test_an_issuer_reads_its_own_tokens_while_they_hold() -> None:
    """And no others: of another issuer, for others, of an unpublished key, of another kind."""
    issuer = TokenIssuer(ISSUER, AUDIENCE, LIFETIME)
    read = issuer.claims(issued(), [KEY], NOW)
    assert read is not None
    assert read["sub"] == GRANT.subject
    for wrong in (
        issued(issuer="https://evil.example"),
        issued(audience="others"),
        issued(generate(NOW)),
        "garbage",
        "",
    ):
        assert issuer.claims(wrong, [KEY], NOW) is None
    assert issuer.claims(issued(), [KEY], NOW + LIFETIME + timedelta(seconds=1)) is None
    other = jwt.encode({"alg": "EdDSA", "kid": KEY.id, "typ": "JWT"}, verified(issued()).claims, KEY.key, ["EdDSA"])
    assert issuer.claims(other, [KEY], NOW) is None
