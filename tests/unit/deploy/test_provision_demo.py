"""The demonstration's own judgement: which goods, which e-mail, how it ends when an order is refused."""

import json
from email.message import EmailMessage
from pathlib import Path

import httpx
import pytest

from deploy.native import demo
from deploy.native.demo import DemoFailed, amount, wait_for_mail
from deploy.native.provision.api import Api
from deploy.native.provision.waiting import ProvisionError
from tests.unit.deploy.provision_examples import runtime_in

PRODUCT = {"name": "Boot", "variants": [{"sku": "SOLD-OUT", "name": "41"}, {"sku": "HERE", "name": "42"}]}


def keep_mail(folder: Path, name: str, recipient: str, subject: str) -> None:
    """Write what the mail sink would."""
    message = EmailMessage()
    message["To"] = recipient
    message["Subject"] = subject
    message.set_content("Grüße")
    (folder / "mail").mkdir(exist_ok=True)
    (folder / "mail" / name).write_bytes(message.as_bytes())


def edge(replies: dict[str, httpx.Response]) -> Api:
    """Answer by path."""
    return Api("http://edge", transport=httpx.MockTransport(lambda request: replies[request.url.path]))


def test_the_mail_is_that_of_the_order_and_the_customer(tmp_path: Path) -> None:
    """Other orders and other customers have mail in the same folder."""
    keep_mail(tmp_path, "1.eml", "other@example.test", "Your order 42 is confirmed")
    keep_mail(tmp_path, "2.eml", "dana@example.test", "Your order 42 is confirmed")
    keep_mail(tmp_path, "3.eml", "dana@example.test", "Your order 41 is confirmed")
    message = wait_for_mail(runtime_in(tmp_path), "dana@example.test", "42")
    assert (message["Subject"], demo.text_of(message)) == ("Your order 42 is confirmed", "Grüße")


def test_a_mail_that_does_not_come_is_told_with_where_to_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After its time."""
    monkeypatch.setattr(demo, "MAIL_WITHIN_S", 0.0)
    with pytest.raises(ProvisionError, match=r"no e-mail about order 42 .* make logs s=notification"):
        wait_for_mail(runtime_in(tmp_path), "dana@example.test", "42")


def test_goods_that_are_in_stock_are_chosen() -> None:
    """Benchmarks and tests buy from the same shelves."""
    stocks = [{"sku": "SOLD-OUT", "available": "1"}, {"sku": "HERE", "available": "2"}]
    api = edge(
        {
            "/api/v1/products": httpx.Response(200, json={"products": [PRODUCT]}),
            "/api/v1/inventory:batchGet": httpx.Response(200, json={"stocks": stocks}),
        }
    )
    said: list[str] = []
    assert demo.choose(api, said.append) == "HERE"
    assert said == ["  chose       2 x HERE (Boot, 42)"]


def test_an_empty_shop_is_told() -> None:
    """There is nothing to show, then."""
    api = edge({"/api/v1/products": httpx.Response(200, json={"products": []})})
    with pytest.raises(DemoFailed, match="none of the 0 variants shown is in stock"):
        demo.choose(api, print)


def test_a_rejected_order_is_a_failure_with_its_reason() -> None:
    """The sandbox's good card must be good."""
    rejected = {
        "id": "42",
        "state": "REJECTED",
        "total": {"currencyCode": "EUR"},
        "rejection": {"reason": "CARD_DECLINED"},
    }
    with pytest.raises(DemoFailed, match=r"order 42 is REJECTED: .*CARD_DECLINED"):
        demo.place(edge({"/api/v1/orders": httpx.Response(200, json=rejected)}), "HERE", print)


def test_an_order_still_pending_is_asked_for_until_it_is_settled() -> None:
    """A reply may come before the outcome."""
    total = {"currencyCode": "EUR", "units": "258"}
    pending = {"id": "42", "state": "PENDING", "total": total}
    replies = {
        "/api/v1/orders": httpx.Response(200, json=pending),
        "/api/v1/orders/42": httpx.Response(200, text=json.dumps(pending | {"state": "CONFIRMED"})),
    }
    assert demo.place(edge(replies), "HERE", print)["state"] == "CONFIRMED"


@pytest.mark.parametrize(("nanos", "shown"), [(0, "258.00 EUR"), (990_000_000, "258.99 EUR")])
def test_money_is_written_for_people(nanos: int, shown: str) -> None:
    """With two digits."""
    assert amount({"currencyCode": "EUR", "units": "258", "nanos": nanos}) == shown
