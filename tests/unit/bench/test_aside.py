"""Processes beside us start, say what they found, and never outlive the block."""

import pytest

from bench import echo
from bench.aside import beside
from bench.errors import BenchError
from deploy.native import processes


async def test_a_process_is_ready_inside_and_has_said_all_after() -> None:
    """The first line tells where it is, the rest what it found."""
    async with beside("tests.unit.bench.a_process", "42") as aside:
        assert aside.ready == "ready"
        assert processes.alive(aside.pid)
    assert aside.found == "found 42"
    assert not processes.alive(aside.pid)


async def test_a_process_ends_with_its_block_even_by_an_error() -> None:
    """Nothing of the bench stays behind."""
    pids = []

    async def stumble() -> None:
        async with beside("tests.unit.bench.a_process", "1") as aside:
            pids.append(aside.pid)
            raise KeyError

    with pytest.raises(KeyError):
        await stumble()
    assert [processes.alive(pid) for pid in pids] == [False]


async def test_a_process_that_does_not_start_is_named() -> None:
    """Its own error is on the terminal."""
    with pytest.raises(BenchError, match=r"bench\.echo does not start"):
        async with beside(echo.__name__, "not a size"):
            pytest.fail("it did")


async def test_a_process_that_fails_is_named() -> None:
    """What it found is not to be believed."""
    with pytest.raises(BenchError, match="failed"):
        async with beside("tests.unit.bench.a_process", "nothing"):
            pass
