"""NVLink domains that reach beyond a node (NVL72): how many GPUs of each are free, and which have how many."""

from __future__ import annotations

from goodwatt.cluster.bitset import bitset
from goodwatt.cluster.cluster import Cluster


class CliqueIndex:
    """Free GPUs per clique. `nodes[c]` is the set of its nodes, `by_free[k]` the set of cliques with k GPUs free."""

    __slots__ = ("_free", "_of_node", "by_free", "names", "nodes")

    def __init__(self, cluster: Cluster) -> None:
        self.names = tuple(dict.fromkeys(n.clique for n in cluster.nodes if n.clique is not None))
        number = {name: i for i, name in enumerate(self.names)}
        self._of_node = tuple(-1 if n.clique is None else number[n.clique] for n in cluster.nodes)
        self.nodes = tuple(
            bitset(i for i, clique in enumerate(self._of_node) if clique == c) for c in range(len(self.names))
        )
        self._free = [sum(n.gpus for n in cluster.nodes if n.clique == name) for name in self.names]
        top = max(self._free, default=0)
        self.by_free = [bitset(c for c, free in enumerate(self._free) if free == k) for k in range(top + 1)]

    def __len__(self) -> int:
        return len(self.names)

    def copy(self) -> CliqueIndex:
        """An independent copy."""
        twin = object.__new__(CliqueIndex)
        twin.names, twin.nodes, twin._of_node = self.names, self.nodes, self._of_node
        twin._free, twin.by_free = self._free[:], self.by_free[:]
        return twin

    def move(self, node: int, old: int, new: int) -> None:
        """A node's number of free GPUs went from `old` to `new`."""
        clique = self._of_node[node]
        if clique < 0:
            return
        before = self._free[clique]
        self._free[clique] = after = before + new - old
        self.by_free[before] ^= 1 << clique
        self.by_free[after] ^= 1 << clique
