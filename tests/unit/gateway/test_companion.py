"""What is revoked is brought to Envoy, whatever auth does."""

import asyncio
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from gateway.companion import SERVICE, Revocations
from gateway.revocations import LIMIT, Revoked, write
from mesh import errors
from mesh.contract import Access, AccessKind, Contract
from ordermesh.auth.v1.revocation_service_pb2 import GetRevocationsRequest
from ordermesh.auth.v1.revocation_service_pb2 import Revocations as Told

SOME = Told(token_ids=["t"], session_ids=["s", "s2"], subjects=["u"])
AWAY = errors.Unavailable("auth is away", reason="UNAVAILABLE")


class Auth:
    """Answers one after the other, and the last one again."""

    def __init__(self, *answers: Told | errors.Error) -> None:
        """In this order."""
        self.answers = list(answers)
        self.asked: list[int] = []

    async def __call__(self, request: GetRevocationsRequest) -> Told:
        """Answer, or fail."""
        self.asked.append(request.limit)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, errors.Error):
            raise answer
        return answer


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Envoy's file, as an install makes it."""
    file = tmp_path / "revoked.json"
    write(file, Revoked())
    return file


def metric(name: str, **labels: str) -> float:
    """Read a metric of this process."""
    return REGISTRY.get_sample_value(f"ordermesh_edge_revocations{name}", labels) or 0.0


def overwrite(file: Path, content: bytes) -> None:
    """Turn a file into something else."""
    file.write_bytes(content)


def inode(file: Path) -> int:
    """Tell a file from one that took its place."""
    return file.stat().st_ino


def says(file: Path, revoked: Revoked) -> bool:
    """Whether the file has just these."""
    return not write(file, revoked)


async def test_what_is_revoked_is_written(file: Path) -> None:
    """And counted by kind."""
    auth = Auth(SOME)
    await Revocations(auth, file).look()
    assert says(file, Revoked(frozenset({"t"}), frozenset({"s", "s2"}), frozenset({"u"})))
    assert auth.asked == [LIMIT]
    assert [metric("", claim=claim) for claim in ("jti", "sid", "sub")] == [1, 2, 1]


async def test_nothing_is_written_when_nothing_changed(file: Path) -> None:
    """Envoy would build its table anew each second."""
    revocations = Revocations(Auth(SOME), file)
    await revocations.look()
    before = inode(file)
    await revocations.look()
    assert inode(file) == before


async def test_what_is_over_is_taken_out(file: Path) -> None:
    """The list stays as short as auth's."""
    revocations = Revocations(Auth(SOME, Told()), file)
    await revocations.look()
    await revocations.look()
    assert says(file, Revoked())


async def test_while_auth_is_away_what_was_known_holds(file: Path) -> None:
    """A metric says since when, another how often it was asked in vain."""
    revocations = Revocations(Auth(SOME, AWAY, AWAY, Told()), file)
    await revocations.look()
    heard, failures = metric("_heard_seconds"), metric("_failures_total")
    for _ in range(2):
        await revocations.look()
    assert says(file, Revoked(frozenset({"t"}), frozenset({"s", "s2"}), frozenset({"u"})))
    assert metric("_heard_seconds") == heard > 0
    assert metric("_failures_total") == failures + 2
    await revocations.look()
    assert says(file, Revoked())


@pytest.mark.parametrize("broken", [b"garbage", b"", b"\xff\x00"])
async def test_a_file_that_somebody_broke_is_mended(file: Path, broken: bytes) -> None:
    """At the next look, though nothing changed."""
    revocations = Revocations(Auth(SOME), file)
    await revocations.look()
    overwrite(file, broken)
    await revocations.look()
    assert says(file, Revoked(frozenset({"t"}), frozenset({"s", "s2"}), frozenset({"u"})))


async def test_a_folder_that_is_not_there_yet_is_waited_for(tmp_path: Path) -> None:
    """It is made with the edge's configuration, which may come later."""
    file = tmp_path / "later" / "revoked.json"
    revocations = Revocations(Auth(SOME), file)
    failures = metric("_failures_total")
    await revocations.look()
    assert metric("_failures_total") == failures + 1
    file.parent.mkdir()
    await revocations.look()
    assert file.exists()


async def test_what_is_left_out_is_told(file: Path) -> None:
    """By a metric that somebody watches."""
    revocations = Revocations(Auth(Told(token_ids=["t"], left_out_count=7)), file)
    await revocations.look()
    assert metric("_left_out") == 7


async def test_it_ends_when_it_is_stopped(file: Path) -> None:
    """At once, not at the next second."""
    stop = asyncio.Event()
    following = asyncio.create_task(Revocations(Auth(SOME), file).follow(stop))
    stop.set()
    await asyncio.wait_for(following, 5)


def test_only_the_edge_may_ask() -> None:
    """The contract says so; mesh.admission holds everybody to it."""
    contract = Contract()
    contract.learn(SERVICE)
    assert {method.access for method in contract.methods} == {Access(AccessKind.EDGE)}
    assert not any(method.bindings for method in contract.methods)
