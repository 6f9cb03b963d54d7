"""Services of other teams, which know the mesh by its wheels and one file of settings."""
