"""What a service with a database and events is told, beyond what every process of the mesh is."""

from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from mesh.settings import MeshSettings


class ServiceSettings(MeshSettings):
    """Base of each service's own settings. Durations are in seconds.

    A name in the file that is no setting is refused: misspelt, it would be passed over in silence.
    """

    model_config: ClassVar[SettingsConfigDict] = SettingsConfigDict(extra="forbid")

    database_url: SecretStr = Field(description="postgresql+psycopg://role:password@host:port/database")
    database_pool_size: int = Field(default=10, gt=0, description="connections of one process, at most")
    database_statement_seconds: float = Field(default=10.0, gt=0, description="no statement may run longer")
    database_idle_seconds: float = Field(
        default=3.0,
        gt=0,
        description="a transaction that waits longer for us is undone: a process that hangs holds locks",
    )
    database_lock_seconds: float = Field(default=5.0, gt=0, description="no statement may wait longer for a lock")

    kafka_bootstrap: str = Field(default="127.0.0.1:9092", description="the brokers, commas between")
    kafka_ca: Path | None = Field(
        default=None, description="who signed the brokers' certificates, PEM; plaintext if none"
    )
    kafka_user: str = Field(default="", description="for SCRAM-SHA-512; nobody in particular if empty")
    kafka_password: SecretStr = Field(default=SecretStr(""), description="of that user")
    kafka_topics: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), description="what to consume, commas between"
    )

    cache_url: SecretStr = Field(
        default=SecretStr(""),
        description="of Valkey: valkeys://user:password@host:port or unix://user:password@/socket",
    )

    @field_validator("kafka_topics", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(value.split(",")) if isinstance(value, str) else value
