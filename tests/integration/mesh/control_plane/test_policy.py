"""Traffic policy in Consul's KV reaches gRPC's own clients: splits, zones, limits, faults, and bad documents."""

import math
from pathlib import Path

import pytest

from tests.integration.mesh.control_plane.backend import Backend, instance
from tests.integration.mesh.control_plane.client import CREATE_ORDER, READ_ORDER, calling
from tests.integration.mesh.control_plane.consul import READING, Consul
from tests.integration.mesh.control_plane.policies import KEY, policy
from tests.integration.mesh.control_plane.processes import eventually
from tests.integration.mesh.control_plane.replica import ControlPlane, serving

pytestmark = pytest.mark.asyncio(loop_scope="package")

REJECTED = 'ordermesh_control_plane_policy_rejected{document="order"}'


async def further(*backends: Backend, calls: int) -> list[int]:
    """Wait for that many further calls, and tell how many of them each got."""
    before = [each.calls for each in backends]
    await eventually(lambda: sum(each.calls for each in backends) - sum(before) >= calls)
    return [each.calls - earlier for each, earlier in zip(backends, before, strict=True)]


def canary(percent: int, **more: object) -> dict[str, object]:
    """Write a policy that gives version 2 a share."""
    return {"canary": {"versions": [{"version": "2", "percent": percent, **more}]}}


async def test_a_new_version_gets_its_share_of_the_calls(consul: Consul, replica: ControlPlane, tmp_path: Path) -> None:
    """10% for one instance beside one; within four standard deviations of 2,000 calls."""
    async with (
        instance(consul, "order-1", version="1") as old,
        instance(consul, "order-2", version="2") as new,
        calling(tmp_path, [replica], path=CREATE_ORDER) as caller,
    ):
        await caller.sees("order-2")
        async with policy(consul, canary(0)):
            await quiet(new, old)
            await consul.write(KEY, canary(10))
            await further(new, calls=1)
            shares = await further(old, new, calls=2000)
    expected, deviation = sum(shares) * 0.1, math.sqrt(sum(shares) * 0.1 * 0.9)
    assert abs(shares[1] - expected) < 4 * deviation
    assert set(caller.counts) == {"order-1", "order-2"}
    assert await replica.refusals() == 0


async def quiet(one: Backend, other: Backend, calls: int = 100) -> None:
    """Wait until one instance gets nothing while the other gets that many calls."""
    while (await further(one, other, calls=calls))[0]:
        pass


async def test_without_the_new_version_the_old_one_takes_all_calls(
    consul: Consul, replica: ControlPlane, tmp_path: Path
) -> None:
    """And the other way round; a share is never a reason for a call to fail."""
    async with (
        policy(consul, canary(50)),
        instance(consul, "order-1", version="1") as old,
        instance(consul, "order-2", version="2") as new,
        calling(tmp_path, [replica], path=CREATE_ORDER) as caller,
    ):
        await further(new, calls=1)
        await new.say(healthy=False)
        await quiet(new, old)
        await new.say(healthy=True)
        await further(new, calls=1)
        await old.say(healthy=False)
        await quiet(old, new)
    assert set(caller.counts) == {"order-1", "order-2"}


async def test_calls_with_a_header_go_to_the_new_version(consul: Consul, replica: ControlPlane, tmp_path: Path) -> None:
    """Whoever tests it marks the request, and the others don't meet it yet."""
    header = {"name": "x-request-id", "prefix": "canary-"}
    async with (
        instance(consul, "order-1", version="1"),
        instance(consul, "order-2", version="2"),
        policy(consul, canary(0, header=header)),
        calling(tmp_path, [replica]) as everybody,
    ):
        await everybody.sees("order-1")
        async with calling(tmp_path, [replica], request_id="canary-7") as tester:
            await tester.sees("order-2")
    assert set(tester.counts) == {"order-2"}


async def test_callers_stay_in_their_zone_while_somebody_serves_there(
    consul: Consul, replica: ControlPlane, tmp_path: Path
) -> None:
    """Then they turn to the next one, and back again, without a failed call."""
    async with (
        policy(consul, {"zones": {"preferOwn": True, "order": ["zone-c", "zone-b"]}}),
        instance(consul, "order-a", zone="zone-a") as own,
        instance(consul, "order-b", zone="zone-b") as other,
        instance(consul, "order-c", zone="zone-c") as next_best,
        calling(tmp_path, [replica], path=CREATE_ORDER, zone="zone-a") as caller,
        calling(tmp_path / "b", [replica], path=CREATE_ORDER, zone="zone-b") as neighbour,
    ):
        await caller.sees("order-a")
        await neighbour.sees("order-b")
        await own.say(healthy=False)
        await caller.sees("order-c")
        await quiet(own, next_best)
        await own.say(healthy=True)
        await further(own, calls=1)
        await quiet(next_best, own)
    assert other.calls
    assert set(caller.counts) == {"order-a", "order-c"}
    assert set(neighbour.counts) == {"order-b"}


async def test_a_zone_that_is_gone_without_a_word_costs_reads_nothing(
    consul: Consul, replica: ControlPlane, tmp_path: Path
) -> None:
    """The client itself turns to the next zone, before Consul has noticed anything."""
    async with (
        policy(consul, {"zones": {"preferOwn": True}}),
        instance(consul, "order-a", zone="zone-a") as own,
        instance(consul, "order-b", zone="zone-b"),
        calling(tmp_path, [replica], zone="zone-a") as caller,
    ):
        await caller.sees("order-a")
        await own.stop(grace=None)
        await caller.sees("order-b")
    assert set(caller.counts) == {"order-a", "order-b"}


async def test_calls_beyond_the_limit_fail_at_once(consul: Consul, replica: ControlPlane, tmp_path: Path) -> None:
    """A service that is slow is not buried under calls that wait for it."""
    async with (
        policy(consul, {"maxConcurrentRequests": 3}),
        instance(consul, "order-1") as slow,
        calling(tmp_path, [replica], path=CREATE_ORDER) as caller,
    ):
        await caller.sees("order-1")
        slow.hold.clear()
        await caller.sees("UNAVAILABLE")
        await eventually(lambda: slow.at_once == 3)
        slow.hold.set()
    assert slow.most_at_once == 3
    assert "drop" in caller.seen["UNAVAILABLE"]["details"].lower()


async def test_a_drill_fails_calls_of_one_method(consul: Consul, replica: ControlPlane, tmp_path: Path) -> None:
    """With the code and delay that were asked for; the service sees nothing of it, and other methods neither."""
    abort = {"percent": 100, "code": "RESOURCE_EXHAUSTED"}
    fault = {"methods": ["CreateOrder"], "abort": abort, "delay": {"percent": 100, "duration": "0.3s"}}
    async with (
        instance(consul, "order-1") as backend,
        policy(consul, {"faults": [fault]}),
        calling(tmp_path, [replica], path=CREATE_ORDER) as writer,
    ):
        await writer.sees("RESOURCE_EXHAUSTED")
        assert not backend.calls
        async with calling(tmp_path, [replica], path=READ_ORDER) as reader:
            await reader.sees("order-1")
        await consul.erase(KEY)
        await writer.sees("order-1")
    assert writer.seen["RESOURCE_EXHAUSTED"]["seconds"] >= 0.3
    assert set(reader.counts) == {"order-1"}


async def test_a_bad_document_keeps_the_last_good_one_in_force(
    consul: Consul, replica: ControlPlane, tmp_path: Path
) -> None:
    """A replica that starts now, and never saw the good one, has the defaults; both say so."""
    only_new = canary(100)
    async with (
        instance(consul, "order-1", version="1") as old,
        instance(consul, "order-2", version="2") as new,
        policy(consul, only_new),
        calling(tmp_path, [replica]) as caller,
    ):
        await caller.sees("order-2")
        await quiet(old, new)
        await consul.write(KEY, {"canary": {"versions": [{"version": "2", "percent": 110}]}})
        await replica.reaches(REJECTED, 1)
        await quiet(old, new)
        assert "canary.versions[0].percent: must be less than or equal to 100" in replica.log.read_text()
        async with serving(replica.twin("control-plane-late")) as late, calling(tmp_path, [late]) as newcomer:
            await newcomer.sees("order-1")
            await late.reaches(REJECTED, 1)
        await consul.write(KEY, canary(0))
        await replica.reaches(REJECTED, 0)
        await quiet(new, old)


async def test_a_replica_that_may_not_read_policies_does_not_take_that_for_none(
    consul: Consul, replica: ControlPlane, tmp_path: Path
) -> None:
    """It serves nothing rather than the defaults."""
    keyless_rules = "".join(line for line in READING.splitlines() if not line.startswith("key"))
    await consul.ask("PUT", "/v1/acl/policy", {"Name": "keyless", "Rules": keyless_rules})
    token = (await consul.ask("PUT", "/v1/acl/token", {"Policies": [{"Name": "keyless"}]}))["SecretID"]
    keyless = ControlPlane(tmp_path, consul, token, "keyless")
    async with policy(consul, canary(10)):
        await keyless.start(wait=False)
        await eventually(lambda: keyless.log.exists() and "the token may not read all of it" in keyless.log.read_text())
        assert not keyless.listens()
        await keyless.stop()
    assert replica.listens()
