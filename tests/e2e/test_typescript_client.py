"""The TypeScript client as a web team has it: packed, installed, compiled strictly, and run against the edge."""

import json
import subprocess
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from tests.e2e.shop import PASSWORD, Client, Shop
from tools import client

STRICT = {"strict": True, "target": "ES2022", "module": "NodeNext", "types": ["node"], "outDir": "out"}
# The example with one mistake each: what is right, what is written instead, and what the compiler says of it.
MISTAKES = {
    "field_of_wrong_type": (
        "lines: [{ sku, quantity }]",
        'lines: [{ sku, quantity: "1" }]',
        "not assignable to type 'number'",
    ),
    "field_missing": ('paymentToken: "tok_visa",', "", "paymentToken: string"),
    "no_such_route": ('"/api/v1/orders",', '"/api/v1/order",', "not assignable to parameter of type 'PathsWithMethod"),
    "no_member_of_a_problem": ("problem.reason", "problem.cause", "Property 'cause' does not exist"),
}


class Project:
    """A project of another team, with the package in it."""

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

    def compile(self, programs: Mapping[str, str]) -> str:
        """Compile programs, by name; give what the compiler finds wrong with them, nothing if they are right."""
        for name, source in programs.items():
            (self._folder / f"{name}.ts").write_text(source)
        settings = {"compilerOptions": STRICT, "files": [f"{name}.ts" for name in programs]}
        (self._folder / "tsconfig.json").write_text(json.dumps(settings))
        done = self._node([client.COMPILER, "--pretty", "false"])
        return done.stdout + done.stderr

    def run(self, name: str, **settings: str) -> str:
        """Run what was compiled; give what it prints."""
        done = self._node([f"out/{name}.js"], settings)
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


@pytest.fixture(scope="module")
def findings(project: Project) -> list[str]:
    """What the compiler says of the mistakes, each in a program of its own."""
    example = client.EXAMPLE.read_text()
    assert all(right in example for right, _, _ in MISTAKES.values())
    return project.compile(
        {name: example.replace(right, wrong) for name, (right, wrong, _) in MISTAKES.items()}
    ).splitlines()


def test_the_example_places_one_order_and_reads_it(shop: Shop, customer: Client, project: Project) -> None:
    """The one of the docs: logged in, sent twice with one key, and told which field of a third is wrong."""
    sku = shop.stock(units=2)
    assert project.compile({"example": client.EXAMPLE.read_text()}) == ""

    printed = project.run(
        "example", EDGE=str(customer.http.base_url), EMAIL=customer.user["email"], PASSWORD=PASSWORD, QUERY=sku
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


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_wrong_use_does_not_compile(findings: list[str], mistake: str) -> None:
    """The compiler says what is wrong before it says anything else of that program."""
    first = next(line for line in findings if line.startswith(f"{mistake}.ts("))
    assert MISTAKES[mistake][2] in first
