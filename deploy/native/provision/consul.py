"""Consul's access control: a policy and a token of its own for everybody.

These are the agent, the control plane, the edge, operators, each service and each member of another team. Whoever
brings no token may do nothing. A token's accessor id follows from its holder's name and its secret
comes from the install's secrets, so that running this again finds what it made.
"""

import json
import uuid
from collections.abc import Collection, Mapping
from typing import Any

from consul import Consul
from consul.exceptions import ConsulException, NotFound

from deploy.native import certificates, members, secrets
from deploy.native.provision.summary import summary
from deploy.native.provision.waiting import wait_for
from deploy.native.runtime import Runtime
from deploy.native.secrets import AGENT, CONTROL_PLANE, EDGE, OPERATOR
from mesh.documents import POLICY, SETTINGS

HOST = "127.0.0.1"
ANONYMOUS_ACCESSOR = "00000000-0000-0000-0000-000000000002"
ACCESSOR_NAMESPACE = uuid.UUID("8c2f9e0e-0d7a-4d0f-9a44-5d1a1d9f6f10")
POLICY_PREFIX = "ordermesh-"

READ: Mapping[str, str] = {"policy": "read"}
WRITE: Mapping[str, str] = {"policy": "write"}
Rules = Mapping[str, Mapping[str, Mapping[str, str]]]


def consul(runtime: Runtime) -> str:
    """Create or correct every policy and token, and take from the anonymous token whatever it may do."""
    kept = secrets.ensure(runtime.root, runtime.topology.services)
    client = client_of(runtime)
    wait_for("Consul", client.acl.policy.list, errors=(OSError, ConsulException))
    joined = {name: member.consul_token for name, member in members.read(runtime.root).items()}
    changes = _dismiss(client, {*kept.consul_tokens, *joined})
    for holder, secret in {**kept.consul_tokens, **joined}.items():
        changes += _ensure_policy(client, holder, rules_of(holder))
        changes += _ensure_token(client, holder, secret)
    changes += _disarm_anonymous(client)
    return summary("consul", changes)


def client_of(runtime: Runtime) -> Consul:
    """Ask Consul with the token that may do everything."""
    return Consul(
        host=HOST,
        port=runtime.port("consul", "https"),
        scheme="https",
        verify=str(certificates.consul_authority(runtime)),
        token=secrets.ensure(runtime.root, runtime.topology.services).consul_management_token,
    )


def rules_of(holder: str) -> Rules:
    """Say the least that a holder needs: AGENT, CONTROL_PLANE, EDGE, OPERATOR or a service.

    A service registers itself, asks for its identity and reads its own intentions, which is what `write`
    on its name means, and it reads its own settings; that it reads no catalogue is the point of the control plane,
    which reads all of it and the traffic policies, and writes itself only. Operators read who is there, to ask each.
    """
    if holder == AGENT:
        return {"node_prefix": {"": WRITE}, "service_prefix": {"": READ}}
    name: Rules = {"service": {holder: WRITE}}
    if holder == EDGE:
        return name
    if holder == OPERATOR:
        return {**name, "service_prefix": {"": READ}, "node_prefix": {"": READ}}
    own: Rules = {**name, "key": {f"{SETTINGS}{holder}": READ}}
    if holder == CONTROL_PLANE:
        catalogue: Rules = {kind: {"": READ} for kind in ("service_prefix", "node_prefix")}
        return {**own, **catalogue, "key_prefix": {POLICY: READ}}
    return own


def _ensure_policy(client: Consul, holder: str, rules: Rules) -> list[str]:
    name = f"{POLICY_PREFIX}{holder}"
    found = next((policy for policy in client.acl.policy.list() if policy["Name"] == name), None)
    if found is None:
        client.acl.policy.create(name=name, description=f"What {holder} may do.", rules=rules)
        return [f"policy {name} created"]
    if json.loads(client.acl.policy.read(found["ID"])["Rules"]) == rules:
        return []
    client.acl.policy.update(found["ID"], name=name, description=f"What {holder} may do.", rules=rules)
    return [f"policy {name} changed"]


def _ensure_token(client: Consul, holder: str, secret: str) -> list[str]:
    accessor = str(uuid.uuid5(ACCESSOR_NAMESPACE, holder))
    policy = f"{POLICY_PREFIX}{holder}"
    found = _read_token(client, accessor)
    if found is not None and found["SecretID"] == secret and _policies(found) == [policy]:
        return []
    if found is not None:
        client.acl.token.delete(accessor)
    client.acl.token.create(
        accessor_id=accessor, secret_id=secret, policies_name=[policy], description=f"Token of {holder}."
    )
    return [f"token of {holder} {'changed' if found else 'created'}"]


def _dismiss(client: Consul, holders: Collection[str]) -> list[str]:
    """Take token and policy from those that have left."""
    gone = {
        policy["Name"]: policy["ID"] for policy in client.acl.policy.list() if policy["Name"].startswith(POLICY_PREFIX)
    }
    for holder in holders:
        gone.pop(f"{POLICY_PREFIX}{holder}", None)
    for name, policy in gone.items():
        accessor = str(uuid.uuid5(ACCESSOR_NAMESPACE, name.removeprefix(POLICY_PREFIX)))
        if _read_token(client, accessor) is not None:
            client.acl.token.delete(accessor)
        client.acl.policy.delete(policy)
    return [f"token and policy {name} taken back" for name in gone]


def _disarm_anonymous(client: Consul) -> list[str]:
    found = client.acl.token.read(ANONYMOUS_ACCESSOR)
    if not (found and _policies(found)):
        return []
    client.acl.token.update(ANONYMOUS_ACCESSOR, description="Whoever brings no token may do nothing.")
    return ["anonymous access taken away"]


def _read_token(client: Consul, accessor: str) -> Mapping[str, Any] | None:
    try:
        token: Mapping[str, Any] | None = client.acl.token.read(accessor)
    except (NotFound, ConsulException):
        return None
    return token


def _policies(token: Mapping[str, Any]) -> list[str]:
    return [policy["Name"] for policy in token.get("Policies") or []]
