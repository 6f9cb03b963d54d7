"""Forms and credentials of OAuth 2 clients."""

import base64

import pytest

from services.auth.oauth_forms import MEDIA_TYPE, Credentials, Form, InvalidClient, OAuthError


def form(body: bytes = b"", media_type: str = MEDIA_TYPE) -> Form:
    """Read a form."""
    return Form(media_type, body)


def basic(text: str) -> str:
    """Write a header."""
    return "Basic " + base64.b64encode(text.encode()).decode()


def test_a_form_is_read_whatever_its_parameters_are_called_or_how_they_are_escaped() -> None:
    """Also with a charset, and in other letters."""
    read = form(b"scope=orders.read+orders.create&%74oken=a%2Bb", "Application/X-WWW-Form-Urlencoded; charset=UTF-8")
    assert (read.get("scope"), read.get("token"), read.get("other")) == ("orders.read orders.create", "a+b", "")


def test_a_field_without_a_value_is_absent() -> None:
    """RFC 6749, section 3.2."""
    with pytest.raises(OAuthError, match="token is missing"):
        form(b"token=").need("token")


@pytest.mark.parametrize("body", [b"a=1&a=2", b"a=1&%61=2", b"a=\xff", b"a=%ff", b"a=%00", b"&".join([b"a=1"] * 51)])
def test_what_can_be_read_in_two_ways_is_refused(body: bytes) -> None:
    """As are bytes that are no text, and more fields than anybody needs."""
    with pytest.raises(OAuthError) as refused:
        form(body)
    assert (refused.value.code, refused.value.status) == ("invalid_request", 400)


def test_credentials_are_in_the_header_or_in_the_form() -> None:
    """Those of the header are form-encoded; a client that only says its name has none."""
    assert form().credentials(basic("a%3Ab:c%25+d")) == Credentials("a:b", "c% d")
    assert form(b"client_id=a&client_secret=b").credentials("") == Credentials("a", "b")
    assert form(b"client_id=a").credentials("") is None
    assert form(b"client_id=a").credentials(basic("a:b")) == Credentials("a", "b")


def test_credentials_in_both_places_are_refused() -> None:
    """RFC 6749, section 2.3: a client uses one method."""
    for body in (b"client_id=a&client_secret=b", b"client_id=other"):
        with pytest.raises(OAuthError) as refused:
            form(body).credentials(basic("a:b"))
        assert refused.value.code == "invalid_request"


@pytest.mark.parametrize("header", ["Basic", "Basic !", basic("no colon"), "Bearer x", "Digest a", basic("a:\0")])
def test_a_header_that_proves_nothing_is_an_invalid_client(header: str) -> None:
    """401, and not a fault of the form."""
    with pytest.raises(InvalidClient) as refused:
        form().credentials(header)
    assert refused.value.status == 401


def test_a_secret_does_not_show_when_printed() -> None:
    """What is logged by accident must not help anybody."""
    assert "hush" not in repr(Credentials("a", "hush"))
