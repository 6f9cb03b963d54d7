"""An account as its owner has it: through the edge, with the mails that arrive."""

import re
import uuid

import httpx
import pyotp
import pytest

from tests.e2e.shop import PASSWORD, Client, Json, Shop, eventually, reason_of

CODE = re.compile(r"^  ([\w-]{43})\r?$", re.MULTILINE)
FRESH = "another long password"


def address() -> str:
    """Make up an address that nobody had before."""
    return f"account-{uuid.uuid4()}@example.com"


def register(shop: Shop, email: str, password: str = PASSWORD) -> Json:
    """Register; the answer is the same whoever has the address."""
    body = {"email": email, "password": password, "displayName": "Ann Example"}
    return shop.stranger.post("/api/v1/auth/register", body)


def ask(client: Client, path: str, **body: str | bool) -> httpx.Response:
    """Ask for something that may be refused."""
    return client.http.post(f"/api/v1/{path}", json=body)


def log_in(shop: Shop, email: str, password: str = PASSWORD) -> httpx.Response:
    """Log in, if it works."""
    return ask(shop.stranger, "auth/login", email=email, password=password)


def letter(shop: Shop, email: str, subject: str) -> str:
    """Wait for a letter, and read it."""

    def look() -> str:
        found = [each for each in shop.letters_to(email) if subject in each["Subject"]]
        body = found[-1].get_body(("plain",)) if found else None
        return str(body.get_content()) if body else ""

    return eventually(look)


def code_in(text: str) -> str:
    """Find the code in a letter."""
    found = CODE.search(text)
    assert found is not None, text
    return found.group(1)


def refused(reply: httpx.Response, status: int, reason: str) -> None:
    """Hold a refusal to its status and its reason."""
    assert (reply.status_code, reason_of(reply)) == (status, reason), reply.text


def test_an_address_is_verified_by_the_code_in_the_mail_once(shop: Shop) -> None:
    """And the second time it is refused."""
    email = address()
    register(shop, email)
    code = code_in(letter(shop, email, "Verify"))
    client = shop.log_in(email, PASSWORD)
    assert not client.user.get("emailVerified")
    assert ask(shop.stranger, "account/email:verify", code=code).is_success
    assert client.get("/api/v1/auth/me")["emailVerified"]
    refused(ask(shop.stranger, "account/email:verify", code=code), 400, "CODE_INVALID")


def test_who_has_an_account_is_told_to_nobody_but_its_owner(shop: Shop) -> None:
    """Registering, logging in and asking for a mail say the same of an address that is taken and of one that isn't."""
    taken, free = address(), address()
    first = register(shop, taken)
    again = register(shop, taken, FRESH)
    assert first == again
    assert first.keys() == register(shop, free).keys()
    assert not first.get("id")
    letter(shop, taken, "You have an account already")
    for path in ("account/password:requestReset", "account/email:requestVerification"):
        replies = [ask(shop.stranger, path, email=email) for email in (taken, address())]
        assert [(reply.status_code, reply.content) for reply in replies] == [(200, replies[0].content)] * 2
    wrong, unknown = log_in(shop, taken, "a wrong password"), log_in(shop, address())
    refused(wrong, 401, "INVALID_CREDENTIALS")
    assert wrong.json()["message"] == unknown.json()["message"]


def test_a_session_is_refreshed_seen_and_ended(shop: Shop) -> None:
    """By its owner, who sees which client it was."""
    email = address()
    register(shop, email)
    login = log_in(shop, email).json()
    refreshed = ask(shop.stranger, "auth/refresh", refreshToken=login["refreshToken"]).json()
    assert refreshed["sessionId"] == login["sessionId"]
    client = shop.client(refreshed["accessToken"])
    (session,) = client.get("/api/v1/account/sessions")["sessions"]
    assert session["current"]
    assert session["userAgent"].startswith("python-httpx")
    assert session["address"]  # For who comes from its own machine Envoy writes one of the machine's addresses.
    other = log_in(shop, email).json()
    assert client.http.delete(f"/api/v1/account/sessions/{other['sessionId']}").is_success
    refused(ask(shop.stranger, "auth/refresh", refreshToken=other["refreshToken"]), 401, "SESSION_ENDED")
    late = ask(shop.client(other["accessToken"]), "account/sessions:revokeAll")
    # Auth looks by itself; the edge is told within seconds.
    assert (late.status_code, reason_of(late) in {"SESSION_ENDED", "TOKEN_REVOKED"}) == (401, True)
    assert ask(shop.stranger, "auth/logout", refreshToken=refreshed["refreshToken"]).is_success
    refused(ask(shop.stranger, "auth/refresh", refreshToken=refreshed["refreshToken"]), 401, "SESSION_ENDED")


def test_an_old_refresh_token_ends_the_session_and_its_owner_is_told(shop: Shop) -> None:
    """The one before the newest is let off for seconds; the one before that is not."""
    email = address()
    register(shop, email)
    first = log_in(shop, email).json()["refreshToken"]
    second = ask(shop.stranger, "auth/refresh", refreshToken=first).json()["refreshToken"]
    refused(ask(shop.stranger, "auth/refresh", refreshToken=first), 409, "REFRESH_TOKEN_ROTATED")
    third = ask(shop.stranger, "auth/refresh", refreshToken=second).json()["refreshToken"]
    refused(ask(shop.stranger, "auth/refresh", refreshToken=first), 401, "SESSION_ENDED")
    refused(ask(shop.stranger, "auth/refresh", refreshToken=third), 401, "SESSION_ENDED")
    letter(shop, email, "ended for safety")


def test_another_customers_session_is_not_found(shop: Shop, customer: Client) -> None:
    """Nobody ends what isn't theirs."""
    email = address()
    register(shop, email)
    login = log_in(shop, email).json()
    reply = customer.http.delete(f"/api/v1/account/sessions/{login['sessionId']}")
    refused(reply, 404, "SESSION_NOT_FOUND")


def test_a_browser_carries_the_session_in_a_cookie_that_no_script_reads(shop: Shop) -> None:
    """The edge takes it in place of a header; a logout takes it away."""
    email = address()
    register(shop, email)
    reply = ask(shop.stranger, "auth/login", email=email, password=PASSWORD, sessionCookie=True)
    assert not reply.json().get("accessToken")
    name, _, rest = reply.headers["set-cookie"].partition("=")
    token, *attributes = rest.split("; ")
    assert name == "ordermesh_session"
    assert {"HttpOnly", "Secure", "SameSite=Lax", "Path=/", "Max-Age=900"} == set(attributes)
    browser = {"cookie": f"{name}={token}"}
    assert shop.stranger.http.get("/api/v1/auth/me", headers=browser).json()["email"] == email
    gone = shop.stranger.http.post(
        "/api/v1/auth/logout", json={}, headers=browser | {"origin": str(shop.stranger.http.base_url)}
    )
    assert gone.headers["set-cookie"].startswith("ordermesh_session=; Path=/; Max-Age=0")
    refused(ask(shop.stranger, "auth/refresh", refreshToken=reply.json()["refreshToken"]), 401, "SESSION_ENDED")


def test_a_forgotten_password_is_reset_by_mail(shop: Shop) -> None:
    """All sessions end, and the old password with them."""
    email = address()
    register(shop, email)
    before = log_in(shop, email).json()["refreshToken"]
    assert ask(shop.stranger, "account/password:requestReset", email=email).is_success
    code = code_in(letter(shop, email, "Set a new password"))
    assert ask(shop.stranger, "account/password:reset", code=code, newPassword=FRESH).is_success
    refused(ask(shop.stranger, "account/password:reset", code=code, newPassword=FRESH), 400, "CODE_INVALID")
    refused(ask(shop.stranger, "auth/refresh", refreshToken=before), 401, "SESSION_ENDED")
    refused(log_in(shop, email), 401, "INVALID_CREDENTIALS")
    assert log_in(shop, email, FRESH).json()["user"]["emailVerified"]
    letter(shop, email, "Your password was changed")


def test_a_password_is_changed_by_who_knows_it(shop: Shop) -> None:
    """A token alone is not enough, and the new one must be long."""
    email = address()
    register(shop, email)
    client = shop.log_in(email, PASSWORD)
    path = "account/password:change"
    refused(ask(client, path, currentPassword="a wrong password", newPassword=FRESH), 403, "PASSWORD_WRONG")
    assert ask(client, path, currentPassword=PASSWORD, newPassword="short").status_code == 400
    assert ask(shop.stranger, path, currentPassword=PASSWORD, newPassword=FRESH).status_code == 401
    assert ask(client, path, currentPassword=PASSWORD, newPassword=FRESH).is_success
    assert log_in(shop, email, FRESH).is_success


def test_guessing_is_slowed_down_the_same_for_whomever(shop: Shop) -> None:
    """429 with Retry-After, as soon as a pause is longer than it takes to ask again."""
    taken = address()
    register(shop, taken)
    for email in (taken, address()):
        free = [log_in(shop, email, "a wrong password") for _ in range(10)]
        assert [reply.status_code for reply in free] == [401] * 10
        reply = until_blocked(shop, email)
        refused(reply, 429, "TOO_MANY_ATTEMPTS")
        assert int(reply.headers["retry-after"]) >= 1


def until_blocked(shop: Shop, email: str) -> httpx.Response:
    """Guess on until that was too often; give the answer."""
    answers: list[httpx.Response] = []

    def look() -> bool:
        answers.append(log_in(shop, email, "a wrong password"))
        return answers[-1].status_code == 429

    eventually(look, within_s=120)
    return answers[-1]


def test_a_second_factor_is_asked_for_and_recovered_from(shop: Shop) -> None:
    """Enrolled, confirmed, shown at login, replaced by a recovery code, and disabled."""
    email = address()
    register(shop, email)
    client = shop.log_in(email, PASSWORD)
    refused(ask(client, "account/totp:enrol", password=PASSWORD), 400, "EMAIL_NOT_VERIFIED")
    ask(shop.stranger, "account/email:verify", code=code_in(letter(shop, email, "Verify")))
    enrolment = ask(client, "account/totp:enrol", password=PASSWORD).json()
    totp = pyotp.parse_uri(enrolment["uri"])
    assert isinstance(totp, pyotp.TOTP)
    recovery = ask(client, "account/totp:confirm", code=totp.now()).json()["codes"]
    challenge = challenged(log_in(shop, email))
    refused(complete(shop, challenge, "000000"), 401, "SECOND_FACTOR_WRONG")
    recovered = complete(shop, challenge, recovery[0])
    assert recovered.json()["user"]["secondFactor"]
    refused(complete(shop, challenge, recovery[1]), 401, "CHALLENGE_INVALID")
    refused(complete(shop, challenged(log_in(shop, email)), recovery[0]), 401, "SECOND_FACTOR_WRONG")
    client = shop.client(recovered.json()["accessToken"])
    assert ask(client, "account/totp:disable", password=PASSWORD, code=recovery[1]).is_success
    assert log_in(shop, email).is_success
    letter(shop, email, "A recovery code was used")


@pytest.mark.parametrize("method", ["IssueOneTimeCode"])
def test_no_code_is_to_be_had_through_the_edge(shop: Shop, method: str) -> None:
    """The method is for services."""
    reply = shop.stranger.http.post(f"/ordermesh.auth.v1.AccountMailService/{method}", json={"id": str(uuid.uuid4())})
    assert reply.status_code in {401, 403, 404}


def challenged(reply: httpx.Response) -> str:
    """Read the challenge of a login whose password was right."""
    refused(reply, 401, "SECOND_FACTOR_REQUIRED")
    (info,) = [each for each in reply.json()["details"] if each["@type"].endswith("google.rpc.ErrorInfo")]
    return str(info["metadata"]["challenge_token"])


def complete(shop: Shop, challenge: str, code: str) -> httpx.Response:
    """Go on with a code."""
    return ask(shop.stranger, "auth/login:complete", challengeToken=challenge, code=code)
