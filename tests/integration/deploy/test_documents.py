"""What operators do to documents in Consul: look, check, set, reset, on a real one."""

import argparse
import asyncio
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from consul import Consul as Client

from deploy.native import documents, policy, service_settings
from deploy.native.documents import Folder
from deploy.native.errors import StackError
from mesh.control_plane.policy import Methods
from tests.integration.mesh.control_plane.consul import TOKEN, Consul
from tests.integration.mesh.control_plane.processes import HOST

GOOD = '{"canary": {"versions": [{"version": "2", "percent": 10}]}, "maxConcurrentRequests": 7}'
BAD = '{"retry": {"maxRetries": 9}}'


@pytest.fixture(scope="module")
def client(consul_binary: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """Run a Consul for the tests of this module, and speak to it as its operator."""
    server = Consul(consul_binary, tmp_path_factory.mktemp("consul"))
    loop = asyncio.new_event_loop()
    running = threading.Thread(target=loop.run_forever)
    running.start()
    asyncio.run_coroutine_threadsafe(server.start(), loop).result()
    yield Client(host=HOST, port=server.http, token=TOKEN)
    asyncio.run_coroutine_threadsafe(server.stop(), loop).result()
    loop.call_soon_threadsafe(loop.stop)
    running.join()
    loop.close()


@pytest.fixture
def methods() -> Methods:
    """Know the methods of the contracts."""
    return policy.known_methods()


@pytest.fixture
def folder(client: Client, methods: Methods) -> Iterator[Folder]:
    """Give the documents of traffic policy, none at first."""
    found = policy.folder(client, methods)
    yield found
    for name in found.read():
        found.reset(name)


Do = Callable[..., bool]


@pytest.fixture
def do(folder: Folder) -> Do:
    """Follow a verb of the command line."""
    parser = argparse.ArgumentParser()
    documents.add_verbs(parser)
    return lambda *arguments: documents.follow_verb(folder, parser.parse_args([str(each) for each in arguments]))


def written(folder: Path, content: str) -> Path:
    """Write a file for the command line."""
    file = folder / "document.json"
    file.write_text(content)
    return file


def test_a_good_document_is_set_shown_and_taken_away(folder: Folder, methods: Methods, do: Do, tmp_path: Path) -> None:
    """With where each value comes from."""
    assert do("order", "--set", written(tmp_path, GOOD))
    assert do("_default", "--set", written(tmp_path, '{"retry": {"maxRetries": 1}}'))
    lines = [line.split() for line in policy.of_one("order", policy.policies(folder, methods))]

    assert ["max_concurrent_requests", "7", "order"] in lines
    assert ["canary.versions[0].version", "2", "order"] in lines
    assert ["retry.max_retries", "1", "_default"] in lines
    assert ["retry.base_backoff", "0.010s", "default"] in lines
    text = "\n".join(policy.of_all(methods, policy.policies(folder, methods)))
    assert "max_concurrent_requests     7   order" in text
    assert do("order", "--reset")
    assert set(folder.read()) == {"_default"}


def test_a_bad_document_is_not_set(folder: Folder, do: Do, tmp_path: Path) -> None:
    """What is in force stays, and the operator is told field and reason."""
    do("order", "--set", written(tmp_path, GOOD))

    for verb in ("--set", "--check"):
        with pytest.raises(StackError, match=r"order would be rejected: retry\.max_retries: must be less"):
            do("order", verb, written(tmp_path, BAD))

    assert folder.read() == {"order": GOOD.encode()}


def test_checking_changes_nothing(folder: Folder, do: Do, tmp_path: Path) -> None:
    """Good or bad."""
    assert do("order", "--check", written(tmp_path, GOOD))
    assert folder.read() == {}


def test_two_operators_do_not_overwrite_each_other(folder: Folder) -> None:
    """Whoever comes second is told, and looks again."""

    def meanwhile(_: bytes) -> bytes:
        folder.change("order", lambda _: GOOD.encode())
        return b"{}"

    with pytest.raises(StackError, match="somebody else changed"):
        folder.change("order", meanwhile)
    assert folder.read() == {"order": GOOD.encode()}


def test_a_rejected_document_is_shown_with_its_reason(client: Client, folder: Folder, methods: Methods) -> None:
    """Somebody wrote it past this command, as Consul's UI lets them."""
    client.kv.put("ordermesh/policy/order", BAD)
    found = policy.policies(folder, methods)

    [line, _] = policy.rejections(found)
    assert line.startswith("REJECTED ordermesh/policy/order: retry.max_retries: must be less")
    assert found.of("order") == found.of("product")


def test_a_drill_is_named(folder: Folder, methods: Methods) -> None:
    """For the doctor, who asks whether it is over."""
    folder.change("order", lambda _: b'{"faults": [{"abort": {"percent": 1, "code": "UNAVAILABLE"}}]}')

    assert list(policy.drills(methods, policy.policies(folder, methods))) == ["order"]


def test_what_can_not_be_done_is_said(do: Do, tmp_path: Path) -> None:
    """Without a traceback: no service named, an unknown one, no such file."""
    for arguments, message in (
        (("--reset",), "which service"),
        (("ordre", "--set", written(tmp_path, "{}")), "no contract knows a service ordre"),
        (("order", "--set", tmp_path / "none"), "can't be read: No such file"),
    ):
        with pytest.raises(StackError, match=message):
            do(*arguments)


def test_without_consul_the_operator_is_told(methods: Methods) -> None:
    """Nothing listens on port 1."""
    with pytest.raises(StackError, match="Consul can't be asked"):
        policy.folder(Client(host=HOST, port=1), methods).read()


def test_levels_and_flags_are_changed_one_by_one(client: Client) -> None:
    """Each leaves the others as they are; without a value it is as at the start again."""
    found = service_settings.folder(client, ["order"])

    def change(level: str | None = None, flag: str | None = None) -> list[str]:
        service_settings.change(found, argparse.Namespace(service="order", log_level=level, flag=flag))
        return list(service_settings.lines(["order"], found))

    assert list(service_settings.lines(["order"], found)) == ["order: as it was started"]
    assert change(level="debug") == ["order", "  log_level = DEBUG"]
    assert change(flag="page_size=20")[1:] == ["  log_level = DEBUG", "  flags[page_size] = 20.0"]
    assert change(flag="greeting=hello")[2:] == ['  flags[greeting] = "hello"', "  flags[page_size] = 20.0"]
    assert change(flag="page_size=")[1:] == ["  log_level = DEBUG", '  flags[greeting] = "hello"']
    assert change(level="")[1:] == ['  flags[greeting] = "hello"']
    with pytest.raises(StackError, match="no level LOUD"):
        change(level="LOUD")
    with pytest.raises(StackError, match="would be rejected: flags"):
        change(flag="page_size=[1]")
    with pytest.raises(StackError, match="NAME=VALUE"):
        change(flag="page_size")
    client.kv.put("ordermesh/settings/order", "{")
    assert "REJECTED" in list(service_settings.lines(["order"], found))[1]
    with pytest.raises(StackError, match="begin anew with do=reset"):
        change(level="debug")
    found.reset("order")
