"""The services of other teams that `make join` let into the mesh, kept in the runtime folder for `make up` to know."""

import json
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from deploy.native.secrets import write_private

FILE_NAME = "members.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One of them: which services it may call, which of its ports is whose, and its token for Consul."""

    calls: tuple[str, ...]
    port: int
    metrics_port: int
    consul_token: str = field(repr=False)


Members = Mapping[str, Member]


def read(root: Path) -> Members:
    """Read them by name; none before the first joined."""
    path = root / FILE_NAME
    kept = json.loads(path.read_text()) if path.exists() else {}
    return {name: Member(**{**member, "calls": tuple(member["calls"])}) for name, member in kept.items()}


def write(root: Path, members: Members) -> None:
    """Replace what is kept."""
    kept = {name: asdict(member) for name, member in sorted(members.items())}
    write_private(root / FILE_NAME, json.dumps(kept, indent=2) + "\n")


def joined(members: Members, name: str, calls: tuple[str, ...], first: tuple[int, int]) -> Members:
    """Add one, or change what it may call; a new one gets a token and the next free pair of ports from `first` on."""
    known = members.get(name)
    taken = {member.port - first[0] for member in members.values()}
    index = known.port - first[0] if known else next(index for index in range(len(taken) + 1) if index not in taken)
    token = known.consul_token if known else str(uuid.uuid4())
    member = Member(calls=calls, port=first[0] + index, metrics_port=first[1] + index, consul_token=token)
    return {**members, name: member}
