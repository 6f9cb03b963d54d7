"""One program that the supervisor keeps running, and what it needs to be told about it."""

import hashlib
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path

from deploy.native.certificates import Pair


class Stage(IntEnum):
    """What has to be there before what; a stop goes through the stages backwards."""

    INFRASTRUCTURE = 1
    CONNECT = 2
    CONTROL_PLANE = 3
    SERVICE = 4
    EDGE = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A program of the stack, as it is started.

    It listens on `ports`, of which the first is the one that people ask for, or on a `socket` that its owner alone may
    open. `inputs` are the files and folders
    it reads at its start, so that it is started anew when one of them has changed; what is among `reloads` instead, it
    takes up on SIGHUP, without a pause. `authority` is by whom its
    certificate is verified. `identity` is the folder in which it keeps its certificate of the mesh, if it has one;
    whoever asks it how it is may show that, or `shown`. `stop_seconds` is how long it may
    take to end after its `stop_signal`.
    """

    name: str
    command: tuple[str | Path, ...]
    stage: Stage
    ports: tuple[int, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    inputs: tuple[Path, ...] = ()
    reloads: tuple[Path, ...] = ()
    socket: Path | None = None
    authority: Path | None = None
    identity: Path | None = None
    shown: Pair | None = None
    stop_signal: str = "TERM"
    stop_seconds: int = 20

    @property
    def command_line(self) -> str:
        """The command, quoted as a shell and supervisor read it."""
        return shlex.join(map(str, self.command))

    @property
    def digest(self) -> str:
        """A fingerprint of all that decides how it runs."""
        return _digest(repr((self.command_line, sorted(self.environment.items()))), self.inputs)

    @property
    def reload_digest(self) -> str:
        """A fingerprint of what it takes up while it runs."""
        return _digest("", self.reloads)


def _digest(text: str, paths: tuple[Path, ...]) -> str:
    content = hashlib.sha256(text.encode())
    for file in _files(paths):
        content.update(str(file).encode() + b"\0" + file.read_bytes() + b"\0")
    return content.hexdigest()[:16]


def _files(paths: tuple[Path, ...]) -> list[Path]:
    """List the files themselves, without what Python compiles; what is not there yet counts once it is."""
    found = {file for path in paths for file in (path, *path.rglob("*")) if "__pycache__" not in file.parts}
    return sorted(file for file in found if file.is_file())
