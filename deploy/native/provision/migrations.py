"""Bringing each service's schema to its newest revision, as the role that owns it."""

import ast
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from deploy.native import secrets
from deploy.native.provision import postgres
from deploy.native.provision.summary import summary
from deploy.native.provision.waiting import ProvisionError
from deploy.native.runtime import Runtime
from deploy.native.secrets import Secrets, owner_role

TIMEOUT_S = 120


def migrations(runtime: Runtime) -> str:
    """Run the migrations of every service that is not at its newest revision yet.

    Raises ProvisionError with the last lines of one that failed.
    """
    kept = secrets.ensure(runtime.root, runtime.topology.services)
    changes = []
    for service in runtime.topology.services:
        newest = heads(runtime.checkout / "services" / service / "migrations" / "versions")
        if is_due(postgres.revision(runtime, service), newest):
            changes += _migrate(runtime, kept, service)
    return summary("migrations", changes)


def is_due(present: str | None, newest: set[str]) -> bool:
    """Tell whether a schema has to be brought on.

    One that newer code has brought further is left as it is, which is the way back from an upgrade: migrations work
    with the code before them, and services ask for no more than the revision they need.
    """
    return bool(newest) and newest != {present} and not (present and present > max(newest))


def heads(versions: Path) -> set[str]:
    """Read which revisions of a folder no other follows; asking Alembic would take a second for each service."""
    revisions = [_assigned(path.read_text(encoding="utf-8")) for path in versions.glob("*.py")]
    followed = {revision.get("down_revision") for revision in revisions}
    return {revision["revision"] for revision in revisions if "revision" in revision} - followed


def _assigned(source: str) -> dict[str, Any]:
    """Answer a module's constants by name."""
    return {
        target.id: statement.value.value
        for statement in ast.parse(source).body
        if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Constant)
        for target in statement.targets
        if isinstance(target, ast.Name)
    }


def _migrate(runtime: Runtime, kept: Secrets, service: str) -> list[str]:
    before = postgres.revision(runtime, service)
    role = owner_role(service)
    url = postgres.url(runtime, service, role, kept.database_passwords[role])
    done = subprocess.run(
        [sys.executable, "-m", "services.common.migrate", service, "upgrade"],
        cwd=runtime.checkout,
        env={**os.environ, "ORDERMESH_DATABASE_URL": url},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    if done.returncode != 0:
        output = _last_lines(done.stderr or done.stdout)
        raise ProvisionError(f"the migrations of {service} failed:\n{output}")
    after = postgres.revision(runtime, service)
    return [f"{service} {before or 'empty'} -> {after}"] if after != before else []


def _last_lines(output: str, count: int = 15) -> str:
    return "\n".join(output.strip().splitlines()[-count:])
