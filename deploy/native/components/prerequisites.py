"""Programs that only the machine's own package manager can bring; all that are missing are told at once."""

from collections.abc import Iterable
from dataclasses import dataclass

from deploy.native.components import on_path
from deploy.native.components.on_path import Version
from deploy.native.errors import MissingPrerequisites


@dataclass(frozen=True, slots=True)
class Prerequisite:
    """A program, since which version it will do, what it is for and which Debian package has it."""

    program: str
    title: str
    oldest: Version
    arguments: tuple[str, ...]
    purpose: str
    package: str

    def fault(self, path: str) -> str | None:
        """Say what is wrong with it on this PATH, or nothing."""
        found = on_path.find(self.program, path, self.arguments)
        wanted = f"{self.title} {'.'.join(map(str, self.oldest))} or newer, which {self.purpose}"
        if found is None:
            return f"{wanted}: no {self.program} on PATH"
        return f"{wanted}: {found} is too old" if found.version < self.oldest else None


JAVA = Prerequisite("java", "Java", (17,), ("-version",), "runs Kafka", "openjdk-17-jre-headless")
MAVEN = Prerequisite("mvn", "Maven", (3, 6), ("--version",), "downloads Kafka", "maven")
# Since 1.21 go fetches by itself the newer release that a module asks for.
GO = Prerequisite("go", "Go", (1, 21), ("version",), "builds Consul", "golang-go")


def require(wanted: Iterable[Prerequisite], path: str) -> None:
    """Raise MissingPrerequisites with every fault and the one command that mends them."""
    faults = {each.package: fault for each in dict.fromkeys(wanted) if (fault := each.fault(path))}
    if faults:
        told = "\n".join(f"  {fault}" for fault in faults.values())
        raise MissingPrerequisites(
            f"Programs are missing:\n{told}\n"
            f"On Debian or Ubuntu install them (or newer ones) with: apt-get install {' '.join(faults)}"
        )
