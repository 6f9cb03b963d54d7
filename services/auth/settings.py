"""What an installation may set for the auth service, each as ORDERMESH_<NAME>."""

from datetime import timedelta
from typing import Annotated

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import NoDecode

from services.auth.keyring import Schedule
from services.common.settings import ServiceSettings


class AuthSettings(ServiceSettings):
    """Durations are in seconds."""

    issuer: str = Field(min_length=1, description="`iss` of every token")
    audience: str = Field(min_length=1, description="`aud` of every token")
    admin_email: str = Field(min_length=3, description="who is made an admin at the first start")
    admin_password: SecretStr = Field(description="of that admin; a later change of it changes nothing")
    key_encryption_key: SecretStr = Field(description="256 bits in base64; seals the signing keys in the database")
    previous_key_encryption_keys: Annotated[tuple[SecretStr, ...], NoDecode] = Field(
        default=(), description="those that sealed before, commas between; what they sealed is sealed anew"
    )
    personal_data_keys: SecretStr = Field(
        description="name:key,… of 256 bits in base64; the first seals personal data in the database, all open it"
    )
    digest_key: SecretStr = Field(description="256 bits in base64; finds users by email without keeping it in clear")
    token_lifetime_seconds: float = Field(default=900, gt=0, description="how long an access token holds")
    session_idle_seconds: float = Field(default=30 * 86400, gt=0, description="a session ends without a refresh")
    session_lifetime_seconds: float = Field(default=90 * 86400, gt=0, description="a session ends in any case")
    refresh_grace_seconds: float = Field(
        default=10, ge=0, description="how long a second use of a refresh token is taken for a coincidence"
    )
    require_verified_email: bool = Field(default=False, description="whether login is for verified emails only")
    second_factor_issuer: str = Field(default="Ordermesh", min_length=1, description="what authenticators show")
    proxies: int = Field(default=0, ge=0, description="trusted proxies before the edge, which add to x-forwarded-for")
    key_rotation_seconds: float = Field(default=30 * 86_400, gt=0, description="how long a key signs")
    key_publication_seconds: float = Field(
        default=180, ge=0, description="how long a key is public before it signs: longer than any verifier keeps keys"
    )

    @field_validator("previous_key_encryption_keys", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(filter(None, value.split(","))) if isinstance(value, str) else value

    @property
    def secrets(self) -> tuple[str, ...]:
        """The secrets that seal signing keys, the one that seals new ones first."""
        return tuple(each.get_secret_value() for each in (self.key_encryption_key, *self.previous_key_encryption_keys))

    @property
    def schedule(self) -> Schedule:
        """When keys are rotated. One verifies for as long as its last token, and as long again as clocks may differ."""
        wait = timedelta(seconds=self.key_publication_seconds)
        lifetime = timedelta(seconds=self.token_lifetime_seconds)
        return Schedule(wait, timedelta(seconds=self.key_rotation_seconds), lifetime + wait)
