"""What whoever looks after the mesh is shown: what every process believes. `python -m mesh.operator`."""
