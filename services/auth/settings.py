"""What an installation may set for the auth service, each as ORDERMESH_<NAME>."""

from pydantic import Field, SecretStr

from services.common.settings import ServiceSettings


class AuthSettings(ServiceSettings):
    """Durations are in seconds."""

    issuer: str = Field(min_length=1, description="`iss` of every token")
    audience: str = Field(min_length=1, description="`aud` of every token")
    admin_email: str = Field(min_length=3, description="who is made an admin at the first start")
    admin_password: SecretStr
    key_encryption_key: SecretStr = Field(description="256 bits in base64; seals the signing keys in the database")
    token_lifetime_seconds: float = Field(default=900, gt=0)
