"""Keeps an Envoy running, and on SIGHUP puts a new one in its place that takes over its sockets: nobody is turned away.

    python -m deploy.native.hot_restart <base id file> envoy -c … [options]

The new one reads the configuration anew, and may be another binary. The old one serves what it has begun until its
`--parent-shutdown-time-s`. A configuration that Envoy refuses changes nothing: it is asked before, since one that fails
on its way in would leave the memory they share in a state from which none can take over.
SIGTERM and SIGINT end all of them. When none is left, this ends, so that a supervisor starts it again.
"""

import ctypes
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

PR_SET_PDEATHSIG = 1
SIGNALS = {signal.SIGHUP, signal.SIGCHLD, signal.SIGTERM, signal.SIGINT}
FAILED = 1


class Restarter:
    """The Envoys of one edge: the last one serves, those before it are about to leave."""

    def __init__(self, base: Path, command: Sequence[str]) -> None:
        """`base` is the file in which the first one names the memory by which later ones find it."""
        self._base, self._command = base, command
        self._running: dict[int, subprocess.Popen[bytes]] = {}

    def run(self) -> int:
        """Go on until told to end, or until none is left; answers the exit status."""
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        self._base.unlink(missing_ok=True)
        self._start()
        while self._running:
            told = signal.sigwait(SIGNALS)
            if told in {signal.SIGTERM, signal.SIGINT}:
                return self._end()
            self._bury()
            if told == signal.SIGHUP and self._running and self._accepted():
                self._start()
        return FAILED

    def _accepted(self) -> bool:
        judged = subprocess.run([*self._command, "--mode", "validate"], preexec_fn=_end_with_parent, check=False)
        if judged.returncode:
            _tell("the configuration is refused, and the old one stays")
        return not judged.returncode

    def _start(self) -> None:
        epoch = max(self._running, default=-1) + 1
        found = ["--base-id", self._base.read_text().strip()] if epoch else ["--use-dynamic-base-id"]
        told = [*found, "--base-id-path", str(self._base), "--restart-epoch", str(epoch)]
        self._running[epoch] = subprocess.Popen([*self._command, *told], preexec_fn=_end_with_parent)  # noqa: PLW1509
        _tell(f"epoch {epoch} is process {self._running[epoch].pid}")

    def _bury(self) -> None:
        for epoch, process in list(self._running.items()):
            if process.poll() is not None:
                del self._running[epoch]
                _tell(f"epoch {epoch} ended with {process.returncode}")

    def _end(self) -> int:
        for process in self._running.values():
            process.terminate()
        for process in self._running.values():
            process.wait()
        return 0


def _tell(what: str) -> None:
    print(f"hot restart: {what}", file=sys.stderr, flush=True)


def _end_with_parent() -> None:
    """Let nobody be left behind when we are killed, and hear the signals that we have blocked for ourselves."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)


if __name__ == "__main__":
    sys.exit(Restarter(Path(sys.argv[1]), sys.argv[2:]).run())
