"""What comes from Maven Central: Kafka, Connect and Debezium, as `deploy/kafka/pom.xml` says, and PostgreSQL."""

import platform
import shutil
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

from deploy.native.components.commands import run
from deploy.native.errors import InstallError
from deploy.native.versions import Pin

POM = Path(__file__).resolve().parents[2] / "kafka" / "pom.xml"
PINNED = ("kafka", "debezium", "log4j")
COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy"
# What the artifacts are called after, by what the kernel calls the machine.
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64v8"}


def copy_jars(pins: Mapping[str, Pin], folder: Path) -> None:
    """Make `lib` (broker and Connect) and `plugins/debezium-postgres` in the folder."""
    shutil.copyfile(POM, folder / POM.name)
    versions = [f"-D{name}.version={pins[name].version}" for name in PINNED]
    run(["mvn", "--batch-mode", "--quiet", *versions, "package"], cwd=folder)


def unpack_postgres(pin: Pin, folder: Path) -> None:
    """Put `bin`, `lib` and `share` into the folder, out of an archive in a jar."""
    machine = platform.machine()
    if machine not in ARCHITECTURES:
        raise InstallError(f"there is no {pin.name} {pin.version} for {machine}; install it and put it on PATH")
    artifact = f"{pin.origin}-{ARCHITECTURES[machine]}:{pin.version}"
    run(["mvn", "--batch-mode", "--quiet", COPY, f"-Dartifact={artifact}", f"-DoutputDirectory={folder}"], cwd=folder)
    (jar,) = folder.glob("*.jar")
    with zipfile.ZipFile(jar) as opened:
        (archive,) = (name for name in opened.namelist() if name.endswith(".txz"))
        with opened.open(archive) as packed, tarfile.open(fileobj=packed, mode="r:xz") as files:
            # Python before 3.11.4 knows no filters; extractall takes whatever is set here if it does.
            files.extraction_filter = getattr(tarfile, "data_filter", None)
            files.extractall(folder)  # noqa: S202 - the filter is the line above
    jar.unlink()
