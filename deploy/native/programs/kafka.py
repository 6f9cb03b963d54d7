"""The Kafka broker, which is its own controller, with its storage; and Kafka Connect with Debezium and its watchdog."""

import base64
import subprocess
import sys
import uuid
from collections.abc import Sequence
from pathlib import Path

from deploy.native import certificates, keystores
from deploy.native.components import Components
from deploy.native.connect_api import WATCHDOG
from deploy.native.errors import StackError
from deploy.native.programs.program import Program, Stage
from deploy.native.provision.connect import credentials_directory
from deploy.native.rendering import keep, render
from deploy.native.runtime import PORT_OFFSET, ROOT, Runtime
from deploy.native.secrets import CONNECT, Secrets

BROKER = "kafka"
LISTENERS = ("broker", "internal", "controller")
KEYSTORE = "keystore.pem"
LOGGING = "log4j2.xml"
TEMPORARY = "tmp"
COMPLETE = "meta.properties"
# Without limits of their own, the JVM would take a quarter of the machine and as many threads as it has cores. And its
# second compiler takes half of the CPU in the first minutes under load, for code that is a fifth faster in the end.
SMALL = (
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:+ExitOnOutOfMemoryError",
    "-XX:-UsePerfData",
    "-Djava.awt.headless=true",
)
BROKER_MEMORY = ("-Xms128m", "-Xmx384m", "-XX:MaxMetaspaceSize=160m", "-XX:ReservedCodeCacheSize=64m")
CONNECT_MEMORY = ("-Xms128m", "-Xmx256m", "-XX:MaxMetaspaceSize=192m", "-XX:ReservedCodeCacheSize=64m")


def broker(runtime: Runtime, components: Components) -> Program:
    """Say how the broker is started."""
    config = runtime.config(BROKER)
    ports = tuple(runtime.port(BROKER, name) for name in LISTENERS)
    return Program(
        name=BROKER,
        command=_java(components, config, BROKER_MEMORY, "kafka.Kafka", _broker_settings(runtime)),
        stage=Stage.INFRASTRUCTURE,
        ports=ports,
        inputs=(_broker_settings(runtime), config / LOGGING, config / KEYSTORE, certificates.data_authority(runtime)),
        authority=certificates.data_authority(runtime),
        stop_seconds=30,
    )


def connect(runtime: Runtime, components: Components) -> Program:
    """Say how Connect is started; it stays up only where a broker answers."""
    config = runtime.config(CONNECT)
    main = "org.apache.kafka.connect.cli.ConnectDistributed"
    settings = config / "connect.properties"
    return Program(
        name=CONNECT,
        command=_java(components, config, CONNECT_MEMORY, main, settings),
        stage=Stage.CONNECT,
        ports=(runtime.port(CONNECT, "https"),),
        inputs=(settings, config / LOGGING, certificates.data_authority(runtime)),
        authority=certificates.data_authority(runtime),
        shown=certificates.operator(runtime),
        stop_seconds=30,
    )


def connect_watchdog(runtime: Runtime) -> Program:
    """Say how the one is started that restarts connectors which have failed."""
    port, folder = runtime.port(CONNECT, "metrics"), runtime.checkout / "deploy" / "native"
    moved = {ROOT: str(runtime.root), PORT_OFFSET: str(runtime.ports.offset)}
    return Program(
        name=WATCHDOG,
        command=(sys.executable, "-m", "deploy.native.connect_watchdog", "--port", str(port)),
        stage=Stage.CONNECT,
        ports=(port,),
        environment=moved,
        inputs=(folder / "connect_watchdog.py", folder / "connect_api.py", certificates.data_authority(runtime)),
    )


def configure(runtime: Runtime, components: Components, kept: Secrets) -> None:
    """Write the settings of both, and the keys they serve with."""
    made = certificates.of(runtime)
    server = render(
        "kafka/server.properties",
        **{f"{name}_port": runtime.port(BROKER, name) for name in LISTENERS},
        data=runtime.data(BROKER),
        keystore=keystores.pem(made.kafka, runtime.config(BROKER) / KEYSTORE),
        authority=made.data_authority.certificate,
        kafka_name=certificates.KAFKA_NAME,
        provisioning_name=certificates.PROVISIONING_NAME,
    )
    password, folder = kept.kafka_passwords[CONNECT], runtime.config(CONNECT)
    worker = render(
        "kafka/connect.properties",
        broker_port=runtime.port(BROKER, "broker"),
        port=runtime.port(CONNECT, "https"),
        plugins=components.connect_plugins,
        credentials=credentials_directory(runtime),
        keystore=keystores.keystore(made.connect, folder, password),
        truststore=keystores.truststore(made.data_authority.certificate, folder, password),
        keystore_password=password,
        kafka=_client_settings(password, made.data_authority.certificate),
    )
    # Connect refuses to start unless the folder is there.
    credentials_directory(runtime).mkdir(mode=0o700, parents=True, exist_ok=True)
    keep(_broker_settings(runtime), server)
    keep(runtime.config(CONNECT) / "connect.properties", worker)
    for name in (BROKER, CONNECT):
        keep(runtime.config(name) / LOGGING, render(f"kafka/{LOGGING}"))
        (runtime.config(name) / TEMPORARY).mkdir(exist_ok=True)


def _client_settings(password: str, authority: Path) -> str:
    """Say how Connect reaches the broker: the worker itself, and under prefixes what its connectors use."""
    login = "org.apache.kafka.common.security.scram.ScramLoginModule"
    settings = {
        "security.protocol": "SASL_SSL",
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": authority,
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.jaas.config": f'{login} required username="{CONNECT}" password="{password}";',
    }
    prefixes = ("", "producer.", "consumer.", "admin.")
    return "\n".join(f"{prefix}{name}={value}" for prefix in prefixes for name, value in settings.items())


def prepare(runtime: Runtime, components: Components) -> list[str]:
    """Format the broker's storage unless it is; the cluster's id is kept, so that a run cut short goes on."""
    if (runtime.data(BROKER) / COMPLETE).exists():
        return []
    runtime.data(BROKER).mkdir(parents=True, exist_ok=True)
    # One word: one id in 64 begins with a dash, and would be taken for an option.
    cluster_id = f"--cluster-id={_cluster_id(runtime)}"
    arguments = ("format", "--ignore-formatted", cluster_id, "--config", _broker_settings(runtime))
    tool = _java(components, runtime.config(BROKER), ("-Xmx128m",), "kafka.tools.StorageTool", *arguments)
    done = subprocess.run(tool, check=False, text=True, capture_output=True)
    if done.returncode:
        raise StackError(f"Kafka's storage could not be formatted:\n{done.stdout}{done.stderr}")
    return ["storage of Kafka formatted"]


def _java(
    components: Components, config: Path, memory: Sequence[str], main: str, *arguments: str | Path
) -> tuple[str | Path, ...]:
    # Libraries unpacked for the JVM stay behind when it is killed: here they are not in anybody's way.
    files = (f"-Dlog4j2.configurationFile={config / LOGGING}", f"-Djava.io.tmpdir={config / TEMPORARY}")
    return (components.java, *memory, *SMALL, *files, "-cp", f"{components.kafka_lib}/*", main, *arguments)


def _broker_settings(runtime: Runtime) -> Path:
    return runtime.config(BROKER) / "server.properties"


def _cluster_id(runtime: Runtime) -> str:
    """Read the id that was chosen for this cluster, or choose one: 128 bits in base64, as Kafka writes them."""
    path = runtime.config(BROKER) / "cluster-id"
    if not path.exists():
        keep(path, base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("="))
    return path.read_text(encoding="utf-8")
