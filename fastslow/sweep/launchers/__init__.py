"""Where the cells of a sweep run."""

from fastslow import registry
from fastslow.sweep.launchers import contracts, local, ray_cluster

LAUNCHERS: registry.Registry[contracts.Launcher] = registry.Registry(
    "launcher", {"local": local.Local, "ray": ray_cluster.RayCluster}
)
