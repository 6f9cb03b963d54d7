"""What an installation may set for the notification service, each as ORDERMESH_<NAME>."""

from pydantic import Field

from services.common.settings import ServiceSettings


class NotificationSettings(ServiceSettings):
    """Durations are in seconds."""

    smtp_host: str = Field(default="127.0.0.1", description="the relay that takes e-mails; no log-in, no TLS")
    smtp_port: int = Field(default=1025, gt=0, lt=65536, description="of the relay")
    smtp_from: str = Field(default="orders@ordermesh.test", description="whom the e-mails are from")
    web_url: str = Field(
        default="", description="of the pages that take codes from mails, at /verify-email and /reset-password"
    )
    smtp_timeout_seconds: float = Field(default=10.0, gt=0, description="how long to wait for the relay")

    delivery_attempts: int = Field(default=12, gt=0, description="after so many a notification is FAILED")
    delivery_first_pause_seconds: float = Field(default=1.0, gt=0, description="after the first failure; then doubled")
    delivery_longest_pause_seconds: float = Field(default=600.0, gt=0, description="and never more than this")
    delivery_interval_seconds: float = Field(default=1.0, gt=0, description="how often to look for what is due")
    delivery_lease_seconds: float = Field(
        default=60.0, gt=0, description="after this another process tries; longer than any attempt takes"
    )
