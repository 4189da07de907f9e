"""A Ray cluster on this machine."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

STORE = 80_000_000
"""Bytes of shared memory a node; by default Ray takes a third of the machine's."""
NICE = {"RAY_worker_niceness": "0"}
"""By default Ray's workers wait for all other programs of the machine."""


@contextmanager
def two_nodes() -> Iterator[Any]:
    """Two nodes of one processor each."""
    from ray.cluster_utils import Cluster

    node = {"num_cpus": 1, "object_store_memory": STORE, "env_vars": NICE}
    nodes = Cluster(initialize_head=True, head_node_args=node)
    nodes.add_node(**node)
    yield nodes
    nodes.shutdown()
