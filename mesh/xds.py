"""Where grpc's own xDS client finds the control plane, and the certificate it shows to everybody."""

import json
from pathlib import Path

from mesh.certificates import Files
from mesh.settings import MeshSettings

FILE = "xds.json"
PROVIDER = "mesh"
"""The name under which the control plane's resources refer to this process's certificate."""

REFRESH = "1s"


def write_bootstrap(settings: MeshSettings, files: Files) -> Path:
    """Write the bootstrap file beside the certificate."""
    path = files.folder / FILE
    path.write_text(json.dumps(bootstrap(settings, files), indent=1), encoding="utf-8")
    return path


def bootstrap(settings: MeshSettings, files: Files) -> dict[str, object]:
    """Say where the control plane is and who we are.

    All replicas stand in one address: gRPC moves on to the next of an address at once. To a second entry of
    `xds_servers` it turns only for resources that it has never seen.
    """
    watched = {
        "certificate_file": str(files.certificate),
        "private_key_file": str(files.key),
        "ca_certificate_file": str(files.authorities),
        "refresh_interval": REFRESH,
    }
    control_plane = {
        "server_uri": f"ipv4:{settings.control_plane}",
        "channel_creds": [{"type": "tls", "config": watched}],
        "server_features": ["xds_v3", "ignore_resource_deletion"],
    }
    return {
        "xds_servers": [control_plane],
        "certificate_providers": {PROVIDER: {"plugin_name": "file_watcher", "config": watched}},
        "node": {
            "id": settings.instance,
            "cluster": settings.service,
            "locality": {"region": settings.datacenter, "zone": settings.zone},
        },
    }
