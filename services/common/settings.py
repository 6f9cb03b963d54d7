"""What a service with a database and events is told, beyond what every process of the mesh is."""

from pydantic import Field, SecretStr

from mesh.settings import MeshSettings


class ServiceSettings(MeshSettings):
    """Base of each service's own settings. Durations are in seconds."""

    database_url: SecretStr = Field(description="postgresql+psycopg://role:password@host:port/database")
    database_pool_size: int = Field(default=10, gt=0)
    database_statement_seconds: float = Field(default=10.0, gt=0, description="no statement may run longer")
    database_idle_seconds: float = Field(
        default=1.0,
        gt=0,
        description="a transaction that waits longer for us is undone: a process that hangs holds locks",
    )
    database_lock_seconds: float = Field(default=5.0, gt=0, description="no statement may wait longer for a lock")

    kafka_bootstrap: str = "127.0.0.1:9092"
