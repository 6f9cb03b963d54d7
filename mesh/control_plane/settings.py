"""What a control plane is told beyond what every process of the mesh is."""

from pathlib import Path

from pydantic import Field

from mesh.settings import MeshSettings


class ControlPlaneSettings(MeshSettings):
    """Settings of `python -m mesh.control_plane`."""

    edge_identity: Path = Field(
        default=Path("edge"), description="the folder in which the edge's Envoy finds mesh.sds's files"
    )
