"""PostgreSQL: its data directory, made once, and the program. Started by root it runs as `nobody`."""

import hashlib
import os
import pwd
import shutil
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

from deploy.native import certificates, launch
from deploy.native.components import Components
from deploy.native.errors import StackError
from deploy.native.programs.program import Program, Stage
from deploy.native.rendering import keep, render
from deploy.native.runtime import Runtime
from deploy.native.secrets import Secrets

NAME = "postgres"
# Who runs it when root does; it refuses to be root itself.
UNPRIVILEGED = "nobody"
ELSEWHERE = Path("/var/lib/ordermesh")
COMPLETE = "PG_VERSION"
# Isolated, so that the modules beside it do not stand in for those of the standard library.
LAUNCH: tuple[str | Path, ...] = (sys.executable, "-I", launch.__file__)
FILES = ("postgresql.conf", "pg_hba.conf")


def program(runtime: Runtime, components: Components) -> Program:
    """Say how it is started; its settings have to be there."""
    data = runtime.data(NAME).resolve()
    return Program(
        name=NAME,
        command=(*LAUNCH, "--once-left", data, *_user(), components.postgres_bin / "postgres", "-D", data),
        stage=Stage.INFRASTRUCTURE,
        ports=(runtime.port(NAME, "sql"),),
        environment={"LC_ALL": "C.UTF-8"},
        inputs=(*(runtime.config(NAME) / name for name in FILES), runtime.config(certificates.TLS) / f"{NAME}.pem"),
        authority=certificates.data_authority(runtime),
        stop_signal="INT",  # "fast": it ends the sessions instead of waiting for them.
    )


def configure(runtime: Runtime) -> None:
    """Choose where the data is, and write the settings where people look; `prepare` hands them to the server."""
    _choose_place(runtime)
    for name in FILES:
        keep(runtime.config(NAME) / name, render(f"postgres/{name}", port=runtime.port(NAME, "sql")))


def prepare(runtime: Runtime, components: Components, kept: Secrets) -> list[str]:
    """Make the data directory unless it is there, and put the settings into it."""
    data = runtime.data(NAME).resolve()
    new = not (data / COMPLETE).exists()
    if new:
        _initialise(data, components, kept)
    for name in FILES:
        _install(runtime.config(NAME) / name, data / name)
    served = certificates.of(runtime).postgres
    _install(served.certificate, data / "server.pem")
    _install(served.key, data / "server-key.pem")
    return ["database cluster made"] if new else []


def _choose_place(runtime: Runtime) -> None:
    """Keep the data where the server gets to; what its name in the runtime folder points to is the record of it."""
    named = runtime.data(NAME)
    named.parent.mkdir(parents=True, exist_ok=True)
    if not named.exists() and _as_root() and not _open_to_all(named.parent):
        outside = ELSEWHERE / hashlib.sha256(str(runtime.root).encode()).hexdigest()[:12] / NAME
        # What is there belongs to a runtime folder that somebody removed, and its password went with it.
        shutil.rmtree(outside, ignore_errors=True)
        outside.mkdir(parents=True)
        named.unlink(missing_ok=True)
        named.symlink_to(outside)
        if not _open_to_all(outside.parent):
            raise StackError(f"{UNPRIVILEGED} cannot get to {outside}, where PostgreSQL keeps its data; chmod a+x it")


def _initialise(data: Path, components: Components, kept: Secrets) -> None:
    """Make it beside its place and move it there when it is complete, so that half a cluster is never used."""
    data.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(data, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix="initdb-", dir=data.parent) as folder:
        home = Path(folder)
        password, cluster = home / "password", home / NAME
        password.write_text(kept.postgres_superuser_password + "\n", encoding="utf-8")
        for path in (home, password):
            _give(path)
        _run_initdb(components.postgres_bin / "initdb", cluster, password)
        cluster.rename(data)


def _run_initdb(initdb: Path, cluster: Path, password: Path) -> None:
    access = ("-U", "postgres", f"--pwfile={password}", "--auth=scram-sha-256")
    content = ("--encoding=UTF8", "--locale=C.UTF-8", "--data-checksums", "--no-instructions")
    command = (*LAUNCH, *_user(), initdb, "-D", cluster, *access, *content)
    done = subprocess.run(command, check=False, text=True, capture_output=True)
    if done.returncode:
        raise StackError(f"PostgreSQL's data directory could not be made:\n{done.stdout}{done.stderr}")


def _install(source: Path, target: Path) -> None:
    if not target.exists() or target.read_bytes() != source.read_bytes():
        part = target.with_name(f"{target.name}.part")
        shutil.copyfile(source, part)
        part.chmod(0o600)
        _give(part)
        part.replace(target)


def _as_root() -> bool:
    return os.geteuid() == 0


def _user() -> tuple[str, ...]:
    """Arguments of `launch` for who to run as."""
    return ("--user", UNPRIVILEGED) if _as_root() else ()


def _give(path: Path) -> None:
    if _as_root():
        account = pwd.getpwnam(UNPRIVILEGED)
        os.chown(path, account.pw_uid, account.pw_gid)


def _open_to_all(folder: Path) -> bool:
    """Tell whether any user gets into a folder."""
    folder = folder.resolve()
    return all(each.stat().st_mode & stat.S_IXOTH for each in (folder, *folder.parents))
