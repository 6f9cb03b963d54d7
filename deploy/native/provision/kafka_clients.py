"""How clients reach the broker: as a user, with a password, or as the one who makes the users, with a certificate.

Both see to it that it is this install's broker. The words are those of librdkafka.
"""

from deploy.native import certificates, secrets
from deploy.native.runtime import Runtime
from deploy.native.secrets import OPERATOR, write_private

HOST = "127.0.0.1"
MECHANISM = "SCRAM-SHA-512"

Client = dict[str, str]


def bootstrap(runtime: Runtime) -> str:
    """Where clients find the broker."""
    return f"{HOST}:{runtime.port('kafka', 'broker')}"


def as_operator(runtime: Runtime) -> Client:
    """Be the operator's tools, which may look at everything."""
    return as_user(runtime, OPERATOR)


def as_user(runtime: Runtime, user: str) -> Client:
    """Be a user whose password this install keeps."""
    passwords = secrets.ensure(runtime.root, runtime.topology.services, runtime.topology.consumers).kafka_passwords
    return with_password(runtime, user, passwords[user])


def with_password(runtime: Runtime, user: str, password: str) -> Client:
    """Be any user."""
    return {
        "bootstrap.servers": bootstrap(runtime),
        "security.protocol": "SASL_SSL",
        "ssl.ca.location": str(certificates.data_authority(runtime)),
        "sasl.mechanism": MECHANISM,
        "sasl.username": user,
        "sasl.password": password,
    }


def as_provisioning(runtime: Runtime) -> Client:
    """Be who may do anything."""
    made = certificates.of(runtime)
    return {
        "bootstrap.servers": f"{HOST}:{runtime.port('kafka', 'internal')}",
        "security.protocol": "SSL",
        "ssl.ca.location": str(made.data_authority.certificate),
        "ssl.certificate.location": str(made.provisioning.certificate),
        "ssl.key.location": str(made.provisioning.key),
    }


def write_properties(runtime: Runtime) -> list[str]:
    """Write what the operator and the consumers of other teams connect with, a file for each; answers what changed."""
    folder = runtime.root / "kafka"
    wanted = {
        f"{user}.properties": properties(as_user(runtime, user)) for user in (OPERATOR, *runtime.topology.consumers)
    }
    for file in folder.glob("*.properties"):
        if file.name not in wanted:
            file.unlink()
    changes = []
    for name, text in wanted.items():
        if not (folder / name).exists() or (folder / name).read_text() != text:
            write_private(folder / name, text)
            changes.append(f"{name} written")
    return changes


def properties(client: Client) -> str:
    """Write settings as lines of name=value."""
    return "".join(f"{name}={value}\n" for name, value in client.items())
