"""Kafka, Connect and Debezium: jars from Maven Central, as `deploy/kafka/pom.xml` says."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from deploy.native.components.commands import run
from deploy.native.versions import Pin

POM = Path(__file__).resolve().parents[2] / "kafka" / "pom.xml"
PINNED = ("kafka", "debezium", "log4j")


def copy_jars(pins: Mapping[str, Pin], folder: Path) -> None:
    """Make `lib` (broker and Connect) and `plugins/debezium-postgres` in the folder."""
    shutil.copyfile(POM, folder / POM.name)
    versions = [f"-D{name}.version={pins[name].version}" for name in PINNED]
    run(["mvn", "--batch-mode", "--quiet", *versions, "package"], cwd=folder)
