"""Who may call whom is changed in Consul while they call."""

import time
from collections.abc import Callable
from typing import Any

from tests.chaos.calls import Call, Calls
from tests.chaos.conftest import UnderLoad
from tests.chaos.instances import START_S, Mesh, Second
from tests.chaos.load import Load
from tests.chaos.traffic import MESH
from tests.e2e.shop import eventually

IN_FORCE_S = 2.0
METHOD = "PaymentService/ListPayments"


def ours(call: Call) -> bool:
    """Whether it is one that the change is about."""
    return (call.via, call.method) == (MESH, METHOD)


def decide(mesh: Mesh, entry: dict[str, Any], action: str) -> float:
    """Have the order service's calls of payment allowed or denied; gives the moment when Consul knew."""
    sources = [source | {"Action": action} if source["Name"] == "order" else source for source in entry["Sources"]]
    mesh.consul("PUT", "/v1/config", entry | {"Sources": sources})
    return time.time()


def answered(traffic: Load, since: float, code: str) -> Calls:
    """Wait until such a call that began later ends with a code, and is the rule."""

    def found() -> Calls | None:
        calls = traffic.calls().where(lambda call: ours(call) and call.begun >= since and call.code == code)
        return calls if len(calls) >= 5 else None

    calls = eventually(found, within_s=START_S)
    assert calls
    return calls


def test_an_intention_takes_effect_in_two_seconds_both_ways(
    mesh: Mesh, second_instances: dict[str, Second], load: UnderLoad, note: Callable[..., None]
) -> None:
    """Without a restart, on connections that are open: denied with its code, and allowed again."""
    assert second_instances
    entry = mesh.consul("GET", "/v1/config/service-intentions/payment").json()
    with load() as traffic:
        try:
            denied = decide(mesh, entry, "deny")
            answered(traffic, denied + IN_FORCE_S, "PERMISSION_DENIED")
        finally:
            allowed = decide(mesh, entry, "allow")
        answered(traffic, allowed + IN_FORCE_S, "OK")
        calls = traffic.stop().where(ours)
    in_force = calls.where(lambda call: denied + IN_FORCE_S <= call.begun <= allowed)
    afterwards = calls.where(lambda call: call.begun >= allowed + IN_FORCE_S)
    note(
        last_allowed_after_s=_last(calls, "OK", denied, allowed),
        last_denied_after_s=_last(calls, "PERMISSION_DENIED", allowed, time.time()),
        calls=len(calls),
    )
    assert {call.code for call in in_force} == {"PERMISSION_DENIED"}
    assert {call.code for call in afterwards} == {"OK"}
    assert {call.code for call in calls} == {"OK", "PERMISSION_DENIED"}


def _last(calls: Calls, code: str, since: float, until: float) -> float:
    begun = [call.begun - since for call in calls if call.code == code and since <= call.begun <= until]
    return round(max(begun, default=0.0), 2)
