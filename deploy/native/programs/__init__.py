"""Every program of a native stack: its settings, what has to be made before its first start, and how it is started."""

from concurrent.futures import ThreadPoolExecutor

from deploy.native.components import Components
from deploy.native.programs import consul, edge, kafka, ours, postgres, valkey
from deploy.native.programs.program import Program, Stage
from deploy.native.runtime import Runtime
from deploy.native.secrets import Secrets

__all__ = ["Program", "Stage", "configure", "every", "prepare"]


def configure(runtime: Runtime, components: Components, kept: Secrets) -> None:
    """Write the settings of the components that are not ours; those of ours are deploy.native.provision's."""
    postgres.configure(runtime)
    kafka.configure(runtime, components, kept)
    consul.configure(runtime, kept)
    valkey.configure(runtime, kept)


def prepare(runtime: Runtime, components: Components, kept: Secrets) -> list[str]:
    """Make what PostgreSQL and Kafka need before their first start; answers what was made."""
    with ThreadPoolExecutor() as pool:
        made = [
            pool.submit(postgres.prepare, runtime, components, kept),
            pool.submit(kafka.prepare, runtime, components),
        ]
        return [change for each in made for change in each.result()]


def every(runtime: Runtime, components: Components) -> dict[str, Program]:
    """List the programs by name, in the order of their stages."""
    programs = [
        postgres.program(runtime, components),
        kafka.broker(runtime, components),
        consul.program(runtime, components),
        valkey.program(runtime, components),
        ours.mail(runtime),
        kafka.connect(runtime, components),
        kafka.connect_watchdog(runtime),
        *ours.control_planes(runtime),
        ours.edge_identity(runtime),
        *ours.services(runtime),
        edge.program(runtime, components),
    ]
    return {program.name: program for program in programs}
