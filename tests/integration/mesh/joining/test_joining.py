"""A service of another team joins with the wheels and one file of settings: the example of docs/joining.md."""

import asyncio
import contextlib
import json
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from deploy.native import join, members
from deploy.native.runtime import Runtime
from tests.integration.conftest import CHECKOUT
from tests.integration.mesh.control_plane.processes import Process, eventually, listens

DOCS = CHECKOUT / "docs"
PACKAGE = Path("acme/loyalty/v1")
SKU, PRICE = "LAMP-HEAD-400", 54
NAMES = ("loyalty", "shopfront", "stranger")


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheels, the example and its generated modules; what wheels need is there already."""
    folder = tmp_path_factory.mktemp("loyalty")
    run(sys.executable, "tools/wheel.py", cwd=CHECKOUT)
    wheels = sorted((CHECKOUT / "dist").glob("ordermesh_*.whl"))
    run(
        sys.executable, "-m", "pip", "-q", "install", "--no-deps", "--no-index", "--target", "site", *wheels, cwd=folder
    )
    (folder / PACKAGE).mkdir(parents=True)
    shutil.copyfile(DOCS / "service-example.proto", folder / PACKAGE / "loyalty.proto")
    shutil.copyfile(DOCS / "service-example.py", folder / "loyalty.py")
    shutil.copyfile(Path(__file__).with_name("shopfront.py"), folder / "shopfront.py")
    protoc = [sys.executable, "-m", "grpc_tools.protoc", "-I.", "-Isite", "--python_out=.", "--grpc_python_out=."]
    run(*protoc, str(PACKAGE / "loyalty.proto"), cwd=folder)
    return folder


@pytest.fixture
def mesh(stack: Runtime) -> Iterator[Runtime]:
    """The running mesh; whoever joined it leaves at the end."""
    yield stack
    for name in members.read(stack.root):
        join.leave(stack, name)


def run(*command: str | Path, cwd: Path) -> None:
    """Run a command to its end; what it says is shown when it fails."""
    subprocess.run(command, cwd=cwd, check=True, env=outside(cwd))  # noqa: S603 - our own command


def outside(folder: Path, **more: str) -> dict[str, str]:
    """Give an environment that knows nothing of the checkout."""
    return {"PATH": str(Path(sys.executable).parent), "PYTHONPATH": f"{folder / 'site'}:{folder}", **more}


@contextlib.asynccontextmanager
async def serving(mesh: Runtime, folder: Path) -> AsyncIterator[None]:
    """Run the example while the body does."""
    launch = f"import os, runpy; os.chdir({str(folder)!r}); runpy.run_path('loyalty.py', run_name='__main__')"
    environment = outside(folder, ORDERMESH_ENV_FILE=str(mesh.env_file("loyalty")))
    process = await Process.start(folder / "log", sys.executable, "-c", launch, **environment)
    try:
        port = members.read(mesh.root)["loyalty"].port
        await eventually(lambda: listens(port) or not process.running, 60)
        yield
        assert await process.stop() == 0
    finally:
        await process.stop(kill=True)


async def asked_by(mesh: Runtime, folder: Path, name: str, sku: str = SKU) -> dict[str, object]:
    """Call the example as a process of another team."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "shopfront.py",
        sku,
        cwd=folder,
        env=outside(folder, ORDERMESH_ENV_FILE=str(mesh.env_file(name))),
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await process.communicate()
    answer: dict[str, object] = json.loads(said.splitlines()[-1])
    return answer


def test_the_example_is_short_and_the_page_has_it_as_it_is_tested() -> None:
    """Line by line, under forty of them."""
    page, example = (DOCS / "joining.md").read_text(), (DOCS / "service-example.py").read_text()
    assert f"```python\n{example}```" in page
    assert f"```proto\n{(DOCS / 'service-example.proto').read_text()}```" in page
    assert len(example.splitlines()) < 40


async def test_a_service_from_elsewhere_is_called_and_calls(mesh: Runtime, elsewhere: Path) -> None:
    """By name, through xDS, under its own contract; whom no intention allows is refused, in both directions."""
    join.join(mesh, "loyalty", ("product",))
    join.join(mesh, "shopfront", ("loyalty",))
    join.join(mesh, "stranger", ())
    async with serving(mesh, elsewhere):
        assert await asked_by(mesh, elsewhere, "shopfront") == {"points": PRICE}
        invalid = await asked_by(mesh, elsewhere, "shopfront", sku="")
        assert invalid == {"code": "INVALID_ARGUMENT", "reason": "INVALID_REQUEST"}
        refused = {"code": "PERMISSION_DENIED", "reason": "PEER_NOT_ALLOWED"}
        assert await asked_by(mesh, elsewhere, "stranger") == refused
        join.join(mesh, "loyalty", ())
        async with asyncio.timeout(30):
            while await asked_by(mesh, elsewhere, "shopfront") != refused:  # noqa: ASYNC110 - it happens in Consul
                await asyncio.sleep(0.1)
        log = (elsewhere / "log").read_text()
        assert members.read(mesh.root)["loyalty"].consul_token not in log


async def test_one_that_left_is_nobody_any_more(mesh: Runtime, elsewhere: Path) -> None:
    """Its settings are gone, and its token signs nothing."""
    join.join(mesh, "loyalty", ("product",))
    shutil.copyfile(mesh.env_file("loyalty"), elsewhere / "old.env")
    join.leave(mesh, "loyalty")
    assert not mesh.env_file("loyalty").exists()
    environment = outside(elsewhere, ORDERMESH_ENV_FILE=str(elsewhere / "old.env"))
    environment["ORDERMESH_IDENTITY_FOLDER"] = str(elsewhere / "identity")
    launch = f"import os, runpy; os.chdir({str(elsewhere)!r}); runpy.run_path('loyalty.py', run_name='__main__')"
    process = await Process.start(elsewhere / "old-log", sys.executable, "-c", launch, **environment)
    try:
        await eventually(lambda: "can't be asked" in (elsewhere / "old-log").read_text(), 60)
        assert not (elsewhere / "identity" / "cert.pem").exists()
    finally:
        await process.stop(kill=True)
