"""What an installation may set for the product service, each as ORDERMESH_<NAME>."""

from services.common.settings import ServiceSettings


class ProductSettings(ServiceSettings):
    """Nothing beyond what every service is told."""
