"""The supervisor of a stack: its configuration, its start as a daemon, and what we ask of it over XML-RPC.

Each program's section carries a digest of all it is made from, so that the supervisor itself tells which
programs have changed.
"""

import http.client
import os
import subprocess
import sys
import xmlrpc.client
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.native import processes
from deploy.native.components import Components
from deploy.native.errors import StackError
from deploy.native.programs import Program
from deploy.native.programs.ours import python_path
from deploy.native.rendering import keep, render
from deploy.native.runtime import Runtime
from deploy.native.secrets import Secrets

HOST = "127.0.0.1"
USER = "ordermesh"
NAME = "supervisor"
START_PATIENCE_S = 20
# A stop of the slowest program, and some more.
CALL_TIMEOUT_S = 60
ALREADY_STARTED, NOT_RUNNING = 60, 70
RUNS = ("STARTING", "RUNNING", "BACKOFF")
SECTION = """
[program:{name}]
command={command}
directory={directory}
environment={environment}
priority={priority}
autostart=false
autorestart=true
startsecs=1
startretries=1000000
stopsignal={signal}
stopwaitsecs={wait}
killasgroup=true
redirect_stderr=true
stdout_logfile={log}
stdout_logfile_maxbytes=10MB
stdout_logfile_backups=2
"""


@dataclass(frozen=True, slots=True)
class State:
    """A program as the supervisor sees it; times are in seconds since 1970, and 0 for never."""

    name: str
    state: str
    pid: int
    started_at: int
    now: int
    complaint: str

    @property
    def runs(self) -> bool:
        """Whether it is running now; for as long as a second it is STARTING."""
        return self.state == "RUNNING"


class Supervisor:
    """The supervisor of one stack, running or not."""

    def __init__(self, runtime: Runtime, kept: Secrets) -> None:
        """Nothing is started or asked yet."""
        self._runtime = runtime
        self._password = kept.supervisor_password
        self._port = runtime.port(NAME, "http")

    @property
    def configuration(self) -> Path:
        """The file it is configured by."""
        return self._runtime.config(NAME) / "supervisord.conf"

    def configure(self, programs: Mapping[str, Program], components: Components) -> None:
        """Write its configuration; it is read at its start, or by `update`."""
        text = self._main_sections()
        path = python_path(self._runtime, components)
        for program in programs.values():
            text += section(program, self._runtime, {"PYTHONPATH": path})
        self._runtime.log(NAME).parent.mkdir(parents=True, exist_ok=True)
        keep(self.configuration, text)

    def answers(self) -> bool:
        """Tell whether it runs; one that refuses our password is not the one we mean."""
        try:
            self._call("getState")
        except (OSError, http.client.HTTPException, xmlrpc.client.ProtocolError):
            return False
        return True

    def start(self, components: Components) -> str:
        """Start it as a daemon that outlives our terminal, wait until it answers, and say so."""
        log = self._runtime.log(NAME)
        done = subprocess.run(
            [sys.executable, components.supervisord, "-c", self.configuration],
            cwd=self._runtime.checkout,
            env=_environment(self._runtime.root),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode or not processes.wait_until(self.answers, START_PATIENCE_S):
            raise StackError(f"the supervisor does not start; its log is {log}\n{done.stdout}{done.stderr}".strip())
        return "started"

    def update(self) -> list[str]:
        """Let it read its configuration again; stops what changed or is gone, and answers what has to be started."""
        ((added, changed, removed),) = self._call("reloadConfig")
        for name in (*changed, *removed):
            self._call("stopProcessGroup", name)
            self._call("removeProcessGroup", name)
        for name in (*added, *changed):
            self._call("addProcessGroup", name)
        return sorted((*added, *changed))

    def run(self, name: str) -> bool:
        """Start a program without waiting for it; tell whether that was needed."""
        try:
            self._call("startProcess", name, False)  # noqa: FBT003 - XML-RPC has no names
        except xmlrpc.client.Fault as fault:
            if fault.faultCode == ALREADY_STARTED:
                return False
            raise StackError(f"{name} cannot be started: {fault.faultString}") from fault
        return True

    def hang_up(self, name: str) -> None:
        """Send SIGHUP to a program."""
        self._call("signalProcess", name, "HUP")

    def stop(self, names: Iterable[str]) -> None:
        """Ask programs to end, all at once, and wait until the supervisor has seen to it."""
        asked = set(names)
        for name in asked:
            try:
                self._call("stopProcess", name, False)  # noqa: FBT003 - as above
            except xmlrpc.client.Fault as fault:
                if fault.faultCode != NOT_RUNNING:
                    raise StackError(f"{name} cannot be stopped: {fault.faultString}") from fault
        over = ("STOPPED", "EXITED", "FATAL", "UNKNOWN")
        ended = lambda: all(each.state in over for each in self.states() if each.name in asked)  # noqa: E731
        processes.wait_until(ended, CALL_TIMEOUT_S)

    def states(self) -> list[State]:
        """Tell how every program is."""
        return [_state(each) for each in self._call("getAllProcessInfo")]

    def state(self, name: str) -> State:
        """Tell how one program is."""
        return _state(self._call("getProcessInfo", name))

    def pid(self) -> int:
        """Its own process id."""
        return int(self._call("getPID"))

    def shut_down(self) -> None:
        """End it, with whatever still runs under it."""
        pid = self.pid()
        self._call("shutdown")
        processes.wait_until(lambda: not processes.alive(pid), CALL_TIMEOUT_S)

    def _call(self, method: str, *arguments: object) -> Any:  # noqa: ANN401 - whatever XML-RPC brings
        address = f"http://{USER}:{self._password}@{HOST}:{self._port}/RPC2"
        with xmlrpc.client.ServerProxy(address, transport=_Transport()) as server:
            return getattr(server.supervisor, method)(*arguments)

    def _main_sections(self) -> str:
        return render(
            "supervisor/supervisord.conf",
            pidfile=_literal(self._runtime.root / "supervisord.pid"),
            logfile=_literal(self._runtime.log(NAME)),
            logs=_literal(self._runtime.log(NAME).parent),
            directory=_literal(self._runtime.checkout),
            user="user=root" if os.geteuid() == 0 else "",
            port=self._port,
            username=USER,
            password=self._password,
        )


def section(program: Program, runtime: Runtime, common: Mapping[str, str]) -> str:
    """Write a program's section."""
    environment = {**common, **program.environment, "ORDERMESH_DIGEST": program.digest}
    return SECTION.format(
        name=program.name,
        command=_literal(program.command_line),
        directory=_literal(runtime.checkout),
        environment=",".join(f'{name}="{_literal(value)}"' for name, value in sorted(environment.items())),
        priority=program.stage.value,
        signal=program.stop_signal,
        wait=program.stop_seconds,
        log=_literal(runtime.log(program.name)),
    )


def _literal(value: object) -> str:
    """Protect a value from the supervisor's own expansions."""
    return str(value).replace("%", "%%")


def _environment(root: Path) -> dict[str, str]:
    """Hand down what every program needs, and nothing that happens to be set in a person's shell."""
    passed = {name: os.environ[name] for name in ("PATH", "HOME", "TZ", "TMPDIR", "JAVA_HOME") if name in os.environ}
    return {**passed, "LANG": "C.UTF-8", processes.MARK: str(root)}


def _state(raw: Mapping[str, Any]) -> State:
    return State(raw["name"], raw["statename"], raw["pid"], raw["start"], raw["now"], raw["spawnerr"])


class _Transport(xmlrpc.client.Transport):
    """Gives up on a supervisor that hangs."""

    def make_connection(self, host: Any) -> http.client.HTTPConnection:  # noqa: ANN401 - its own signature
        """Connect with a limit on the time that each answer may take."""
        connection = super().make_connection(host)
        connection.timeout = CALL_TIMEOUT_S
        return connection
