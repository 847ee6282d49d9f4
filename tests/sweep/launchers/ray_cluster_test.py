"""Cells on a Ray cluster of several nodes, one of which dies."""

import json
import sys

import pytest

from fastslow.sweep.launchers import contracts, ray_cluster
from tests.sweep import toy_sweep

ray = pytest.importorskip("ray")


@pytest.fixture
def cluster():
    """Yield a cluster whose head runs no cells; nodes are added by the test."""
    from ray import cluster_utils

    made = cluster_utils.Cluster(
        initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False}
    )
    yield made
    ray.shutdown()
    made.shutdown()


class NodeLoser:
    """Kill the cluster's node once a cell has come through four events; give it another one."""

    def __init__(self, cluster):
        self.cluster, self.node = cluster, cluster.add_node(num_cpus=1)
        self.done_before = None

    def show(self, shown, note):
        (row,) = shown.values()
        if self.done_before is None and row.position.done >= 4:
            self.done_before = row.position.done
            self.cluster.remove_node(self.node, allow_graceful=False)
            self.cluster.add_node(num_cpus=1)


def test_a_cell_survives_the_death_of_its_node(cluster, tmp_path, monkeypatch):
    loser = NodeLoser(cluster)
    monkeypatch.setenv("FASTSLOW_TOY_PAUSE", "0.5")  # passed on to the nodes
    (cell,) = toy_sweep.plan(tmp_path, 0)
    launcher = ray_cluster.RayCluster(toy_sweep.COMMAND, ray_address=cluster.address)
    final = toy_sweep.run([cell], launcher, loser)
    assert final[cell.name].state == "finished"
    assert loser.done_before < toy_sweep.EVENTS  # it was not over
    attempts = [
        json.loads(line) for line in (cell.directory / "attempts.jsonl").read_text().splitlines()
    ]
    assert [attempt["outcome"] for attempt in attempts] == ["lost", "finished"]
    assert "resumed at" in (cell.directory / "output.log").read_text()
    (undisturbed,) = toy_sweep.plan(tmp_path / "undisturbed", 0)
    monkeypatch.delenv("FASTSLOW_TOY_PAUSE")
    toy_sweep.run([undisturbed])
    assert toy_sweep.rows(cell) == toy_sweep.rows(undisturbed)


def test_a_cluster_that_is_not_there_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))  # where "auto" looks for a running cluster
    with pytest.raises(contracts.LauncherError, match="no Ray cluster at 'auto'"):
        ray_cluster.RayCluster(toy_sweep.COMMAND, ray_address="auto")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cpus_per_cell": 0.0}, "--cpus_per_cell must be positive"),
        ({"workers": 0}, "--workers must be at least 1, not 0"),
        ({"memory_per_cell": -1.0}, "--memory_per_cell must not be negative"),
        ({"gpus_per_cell": -1.0}, "--gpus_per_cell must not be negative"),
    ],
)
def test_what_no_cell_can_have_is_refused(options, message):
    with pytest.raises(contracts.LauncherError, match=message):
        ray_cluster.RayCluster(toy_sweep.COMMAND, **options)


def test_a_cluster_too_small_for_a_single_cell_is_refused(cluster):
    with pytest.raises(contracts.LauncherError, match="--cpus_per_cell=9: the cluster has 0"):
        ray_cluster.RayCluster(toy_sweep.COMMAND, ray_address=cluster.address, cpus_per_cell=9)


def test_without_ray_the_command_to_install_it_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(contracts.LauncherError, match="needs Ray: pip install ray"):
        ray_cluster.RayCluster(toy_sweep.COMMAND)
