"""What every process of the mesh is told at its start: by ORDERMESH_… variables, or by the file one of them names."""

import os
import socket
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

PREFIX = "ORDERMESH_"
ENV_FILE = f"{PREFIX}ENV_FILE"
"""Names a file of further variables. What is in the environment itself wins."""

NO_SETTING = "extra_forbidden"


class MeshSettings(BaseSettings):
    """Who this process is, where it listens, and how it reaches the mesh. Durations are in seconds."""

    model_config: ClassVar[SettingsConfigDict] = SettingsConfigDict(
        env_prefix=PREFIX,
        extra="ignore",
        frozen=True,
        env_ignore_empty=True,
        hide_input_in_errors=True,
        use_attribute_docstrings=True,
    )

    service: str = Field(min_length=1, description="name of the service in Consul, such as order")
    version: str = Field(default="0.1.0", description="what canaries are picked by")
    zone: str = Field(default="", description="where this process runs; callers may prefer their own")
    host: str = Field(default="127.0.0.1", description="the address to listen on, and to tell Consul")
    port: int = Field(gt=0, lt=65536, description="gRPC")
    metrics_port: int = Field(gt=0, lt=65536, description="for Prometheus, plain HTTP")

    consul_http: str = Field(default="http://127.0.0.1:8500", description="the agent; consul_ca's over https")
    consul_token: SecretStr = Field(default=SecretStr(""), description="of this process alone")
    consul_grpc: str = Field(default="127.0.0.1:8502", description="the agent's gRPC port, which speaks TLS")
    consul_ca: Path = Field(default=Path("ca.pem"), description="who signed the agent's certificate, PEM")
    datacenter: str = Field(default="dc1", description="Consul's")
    identity_folder: Path = Field(default=Path("identity"), description="where this process keeps its certificate")
    control_plane: str = Field(default="127.0.0.1:9000", description="all replicas, host:port with commas between")

    log_level: str = Field(default="INFO", description="DEBUG, INFO, WARNING or ERROR; `make log-level` at run time")
    otlp_endpoint: str = Field(
        default="", description="where spans go, host:port of a collector's gRPC; none are recorded when empty"
    )
    trace_sample_ratio: float = Field(default=1.0, ge=0, le=1, description="the share of traces that is recorded")
    max_calls: int = Field(default=512, gt=0, description="calls at once in this process; more are turned away")
    max_streams: int = Field(default=512, gt=0, description="streams of answers at once, such as of watchers")
    drain_seconds: float = Field(default=10.0, gt=0, description="how long calls may run on after a stop")
    connection_max_age_seconds: float = Field(
        default=600.0, gt=0, description="how long a connection may live before its client is asked to make a new one"
    )
    certificate_max_age_seconds: float | None = Field(
        default=None, gt=0, description="renew a certificate at this age; two thirds of its life when not set"
    )

    def __init__(self, **values: Any) -> None:  # noqa: ANN401 - pydantic's own signature
        """Read the environment and the file named by ORDERMESH_ENV_FILE, which must be there when named."""
        file = os.environ.get(ENV_FILE)
        if file and not Path(file).is_file():
            message = f"{ENV_FILE} names {file}, which does not exist; `make up` writes it"
            raise FileNotFoundError(message)
        super().__init__(_env_file=file, **values)

    @property
    def instance(self) -> str:
        """The name of this process, unlike that of any other: service, host and port."""
        return f"{self.service}-{socket.gethostname()}-{self.port}"


def explain(refused: ValidationError) -> str:
    """Say what is wrong with settings, a line for each; values, which may be secret, are not repeated."""
    return "\n".join(
        f"{PREFIX}{'.'.join(map(str, error['loc'])).upper().removeprefix(PREFIX)}: "
        + (
            "is no setting of this process; docs/settings.md has them all"
            if error["type"] == NO_SETTING
            else error["msg"]
        )
        for error in refused.errors(include_url=False, include_input=False)
    )
