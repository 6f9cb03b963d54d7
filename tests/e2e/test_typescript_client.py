"""The TypeScript client as a web team has it: packed, installed, compiled strictly, and run against the edge."""

import json
import subprocess
import tarfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.e2e.shop import PASSWORD, Client, Shop
from tools import client

STRICT = {
    "compilerOptions": {"strict": True, "target": "ES2022", "module": "NodeNext", "types": ["node"], "outDir": "out"},
    "files": ["example.ts"],
}


class Project:
    """A project of another team, with the package and one file."""

    def __init__(self, folder: Path, environ: dict[str, str]) -> None:
        """Install the package that `make client` has left in dist/ beside what it asks for."""
        self._folder, self._environ = folder, environ
        modules = folder / "node_modules"
        modules.mkdir()
        with tarfile.open(client.PACKAGE) as packed:
            packed.extractall(modules, filter="data")
        (modules / "package").rename(modules / "ordermesh-client")
        for installed in client.packages(environ).iterdir():
            (modules / installed.name).symlink_to(installed)
        (folder / "package.json").write_text('{"type": "module"}')
        (folder / "tsconfig.json").write_text(json.dumps(STRICT))

    def compile(self, source: str) -> str:
        """Compile a program; give what the compiler finds wrong with it, nothing if it is right."""
        (self._folder / "example.ts").write_text(source)
        return self._node([client.COMPILER, "--pretty", "false"]).stdout

    def run(self, **settings: str) -> str:
        """Run what was compiled; give what it prints."""
        done = self._node(["out/example.js"], settings)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def _node(
        self, arguments: Sequence[str], settings: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(  # noqa: S603 - our own programs
            ["node", *arguments],  # noqa: S607 - found on the PATH of the tool
            cwd=self._folder,
            env=self._environ | (settings or {}),
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """With the package as the contracts have it now."""
    subprocess.run(["make", "client"], cwd=client.CHECKOUT, check=True, timeout=240)  # noqa: S607 - as a developer does
    return Project(tmp_path_factory.mktemp("web"), client.environment())


def test_the_example_places_one_order_and_reads_it(shop: Shop, customer: Client, project: Project) -> None:
    """The one of the docs: logged in, sent twice with one key, and told which field of a third is wrong."""
    sku = shop.stock(units=2)
    assert project.compile(client.EXAMPLE.read_text()) == ""

    printed = project.run(
        EDGE=str(customer.http.base_url), EMAIL=customer.user["email"], PASSWORD=PASSWORD, QUERY=sku
    ).splitlines()

    (order,) = customer.get("/api/v1/orders")["orders"]
    assert printed == [
        f"{order['id']} is {order['id']}",
        f"CONFIRMED: 1 x {sku}",
        "INVALID_REQUEST: lines[0].quantity",
    ]


@pytest.mark.usefixtures("project")
def test_it_is_made_of_what_the_edge_serves(shop: Shop) -> None:
    """So that the types are those of the API that is called."""
    assert json.loads(client.DESCRIPTION.read_text()) == shop.stranger.get("/openapi.json")


@pytest.mark.parametrize(
    ("right", "wrong", "told"),
    [
        (
            "lines: [{ sku, quantity }]",
            'lines: [{ sku, quantity: "1" }]',
            "'string' is not assignable to type 'number'",
        ),
        ('paymentToken: "tok_visa",', "", "Property 'paymentToken' is missing"),
        ('"/api/v1/orders",', '"/api/v1/order",', "TS2345"),
        ("problem.reason", "problem.cause", "Property 'cause' does not exist"),
    ],
    ids=["a field of the wrong type", "a field that is missing", "a route that is not", "a member no problem has"],
)
def test_a_wrong_use_does_not_compile(project: Project, right: str, wrong: str, told: str) -> None:
    """The mistake is told where it stands."""
    source = client.EXAMPLE.read_text()
    assert right in source
    assert told in project.compile(source.replace(right, wrong))
