"""Who may draw how much: the most that every node may be drawing, summed up to racks, rows and the site.

A job that starts, or a cap that rises, needs room below every limit above its nodes; a cap that falls gives its room
back when it has settled, not when it was sent. So the sum of what may be in force stays within the limits at every
instant, unless a limit falls: then nothing may rise until enough has come down. Nodes that are away count with what
they draw when they are back and idle, because they come back without asking.

A GPU counts with its cap, and with what it draws where it cannot keep to that (`FullPhysics.most_w`). Who gets how
much is for the policies to say.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from goodwatt.cluster.cluster import Cluster
from goodwatt.cluster.host_power import SLEEPS
from goodwatt.cluster.state import Placement
from goodwatt.power.facility.supply import node_facts, node_wall_w
from goodwatt.simulator.physics.contract import ASLEEP, FALLING, WAKING
from goodwatt.simulator.physics.power_meter import MICRO
from goodwatt.simulator.power.power_plan import NodeMost, PowerPlan
from goodwatt.simulator.power.racks import Racks

if TYPE_CHECKING:
    from goodwatt.simulator.jobs.job_run import JobRun
    from goodwatt.simulator.physics.full import FullPhysics

SITE = "site"
NO_LIMIT = 1 << 80
ROUNDING_UW = 1_000
"""The meter rounds every part of every GPU; a node may show so much more than the sum of what it was granted."""

Most = tuple[tuple[str, ...], tuple[float | None, ...], float]
"""The jobs on a GPU, their caps, and the most watts that it then draws; looked up again only when one changes."""
Start = tuple["JobRun", Placement, float | None]
"""A job that would start on these GPUs under this cap."""


class PowerBook:
    """The book of a run. Levels are the site, and rows and racks that have a limit, by position in `names`.

    `limit_uw`, `granted_uw`: of each level. `path[node]`: the levels above a node. `gpu_w[node]`: the most that the
    node's GPUs may draw together, `held[node]`: how many of them jobs hold. `caps[job]`: the highest cap that may be in
    force on a running job's GPUs, None for the board's own. `wishes[job]`: (clock, cap) that wait for room.
    `fed`: whether a job would have power under such limits if nobody else ran, as far as somebody has asked.
    `asleep`: nodes that sleep, fall asleep or wake; they do so also once what else keeps them away is over.
    """

    def __init__(
        self,
        cluster: Cluster,
        physics: FullPhysics,
        racks: Racks,
        budget_w: float | None,
        asleep: Mapping[int, str],
    ) -> None:
        self._cluster, self._physics, self.asleep = cluster, physics, asleep
        self.fed: dict[tuple[str, tuple[int, ...]], bool] = {}
        self._facts = node_facts(cluster.power)
        limits = {(SITE, ""): self._site_w(budget_w)}
        limits |= {("row", name): row.power_limit_w for name, row in cluster.rows.items() if row.power_limit_w}
        limits |= {("rack", name): racks.fed[name].feeds.continuous_w for name in racks.fed}
        self.names = tuple(name or SITE for _, name in limits)
        self._number = {key: i for i, key in enumerate(limits)}
        self.limit_uw = [_uw(watts) for watts in limits.values()]
        self.path = tuple(self._levels(node.rack) for node in cluster.nodes)
        self.caps: dict[str, float | None] = {}
        self.wishes: dict[str, tuple[float | None, float | None]] = {}
        self.granted_uw = [0] * len(limits)
        self._wall_uw = [0] * len(cluster.nodes)
        self.gpu_w, self.held = [0.0] * len(cluster.nodes), [0] * len(cluster.nodes)
        nobody: Most = ((), (), 0.0)
        self._gpu_most = [[(*nobody[:2], physics.idle_w(i))] * n.gpus for i, n in enumerate(cluster.nodes)]
        self.follow(range(len(cluster.nodes)))

    # what may be -------------------------------------------------------------------------------------------------

    def lacks(self, starts: Iterable[Start], without: frozenset[str] = frozenset()) -> str | None:
        """Why these jobs may not start, those of `without` gone; None if they may."""
        plus: dict[int, list[tuple[JobRun, int, float | None]]] = {}
        for run, placement, cap_w in starts:
            for node, mask in placement:
                plus.setdefault(node, []).append((run, mask, cap_w))
        gone = {node for job_id in without for node, _ in self._physics.run_of(job_id).placement}
        nodes = dict.fromkeys([*plus, *sorted(gone)])
        return self._over({node: self._most(node, without, plus.get(node, ()))[0] for node in nodes})

    @property
    def limited(self) -> bool:
        """Whether there is any limit."""
        return any(limit < NO_LIMIT for limit in self.limit_uw)

    def plan(self, leaving: Iterable[str] = ()) -> PowerPlan:
        """To try starts on idle GPUs, these running jobs gone."""
        return PowerPlan(self, leaving)

    @property
    def over(self) -> tuple[str, ...]:
        """Levels below which more may be drawn than their limit: after it fell, until enough has come down."""
        pairs = zip(self.names, self.granted_uw, self.limit_uw, strict=True)
        return tuple(name for name, granted, limit in pairs if granted > limit)

    # what is -----------------------------------------------------------------------------------------------------

    def enter(self, run: JobRun) -> None:
        """A job has started under its cap."""
        self.caps[run.spec.job_id] = run.cap_w
        self.follow(node for node, _ in run.placement)

    def leave(self, run: JobRun, placement: Placement) -> None:
        """A job has left these GPUs."""
        self.caps.pop(run.spec.job_id, None)
        self.wishes.pop(run.spec.job_id, None)
        self.follow(node for node, _ in placement)

    def ask(self, run: JobRun, clock_mhz: float | None, cap_w: float | None) -> bool:
        """A running job's GPUs are to have another setting: whether the command may be sent now. If not, it waits."""
        job_id, before = run.spec.job_id, self.caps[run.spec.job_id]
        self.wishes.pop(job_id, None)
        self.caps[job_id] = None if run.cap_w is None or cap_w is None else max(run.cap_w, cap_w)
        walls = {node: self._most(node)[0] for node, _ in run.placement}
        if self._over(walls) is not None:
            self.caps[job_id] = before
            self.wishes[job_id] = clock_mhz, cap_w
            return False
        self.follow(walls)
        return True

    def may_release(self, runs: Sequence[JobRun]) -> bool:
        """Whether the boards of all these running jobs may have their own caps at once."""
        nodes = dict.fromkeys(
            node for run in runs if self.caps[run.spec.job_id] is not None for node, _ in run.placement
        )
        before = {run.spec.job_id: self.caps[run.spec.job_id] for run in runs}
        self.caps.update(dict.fromkeys(before))
        over = self._over({node: self._most(node)[0] for node in nodes})
        self.caps.update(before)
        return over is None and not self.over

    def settled(self, run: JobRun) -> bool:
        """The last command to a job's GPUs is in force; whether that leaves room for others."""
        before = self.granted_uw[0]
        self.caps[run.spec.job_id] = run.cap_w
        self.follow(node for node, _ in run.placement)
        return self.granted_uw[0] < before

    def set_limit(self, rack: str, watts: float) -> None:
        """The feeds of a rack carry so much from now on."""
        level = self._number.get(("rack", rack))
        if level is not None:
            self.limit_uw[level] = _uw(watts)

    def set_budget(self, budget_w: float | None) -> None:
        """Another power budget holds from now on; the site's own limit stays."""
        self.limit_uw[0] = _uw(self._site_w(budget_w))

    def may_sleep(self, node: int) -> str | None:
        """Why an idle node may not fall asleep, which takes power and even more to come back from; None if it may."""
        return self._over({node: max(self._wall_uw[node], self._way_there_and_back_uw())})

    def follow(self, nodes: Iterable[int]) -> None:
        """Something else may be drawn on these nodes."""
        for node in nodes:
            wall, self.gpu_w[node], self.held[node] = self._most(node)
            if node in self.asleep or self._physics.mode(node) in {FALLING, ASLEEP, WAKING}:
                wall = max(wall, self._way_there_and_back_uw())
            for level in self.path[node]:
                self.granted_uw[level] += wall - self._wall_uw[node]
            self._wall_uw[node] = wall

    def copy(self, physics: FullPhysics, asleep: Mapping[int, str]) -> PowerBook:
        """The same over a copy of the physics, and of who sleeps."""
        twin = object.__new__(PowerBook)
        twin.__dict__.update(self.__dict__, _physics=physics, asleep=asleep)
        twin.caps, twin.wishes, twin.limit_uw = dict(self.caps), dict(self.wishes), self.limit_uw[:]
        twin.granted_uw, twin._wall_uw = self.granted_uw[:], self._wall_uw[:]
        twin.gpu_w, twin.held, twin.fed = self.gpu_w[:], self.held[:], dict(self.fed)
        twin._gpu_most = [gpus[:] for gpus in self._gpu_most]
        return twin

    def to_plain(self) -> Any:
        """What changes and does not follow from who runs where."""
        return [list(self.caps.items()), [[job, *wish] for job, wish in self.wishes.items()], self.limit_uw]

    def load_plain(self, plain: Any) -> None:
        """Take over what `to_plain` gave, when the jobs are back on their GPUs."""
        self.caps = dict(plain[0])
        self.wishes = {job: (clock, cap) for job, clock, cap in plain[1]}
        self.limit_uw = [int(limit) for limit in plain[2]]
        self.follow(range(len(self._wall_uw)))

    # what a plan asks --------------------------------------------------------------------------------------------

    def nodes_of(self, jobs: Iterable[str]) -> Iterable[int]:
        """The nodes on which running jobs are."""
        return dict.fromkeys(node for job_id in jobs for node, _ in self._physics.run_of(job_id).placement)

    def of(self, node: int) -> NodeMost:
        """The most of a node as it is."""
        return NodeMost(self.gpu_w[node], self.held[node], self._wall_uw[node])

    def without(self, node: int, gone: frozenset[str]) -> NodeMost:
        """The most of a node without some of its jobs."""
        uw, gpu_w, held = self._most(node, gone)
        return NodeMost(gpu_w, held, uw)

    def other(self, node: int, at: NodeMost, more_w: float, more: int) -> NodeMost:
        """The most of a node whose GPUs draw so much more, so many more of them in use; less, if negative."""
        gpu_w, held = at.gpu_w + more_w, at.held + more
        return NodeMost(gpu_w, held, self._wall(gpu_w, min(held / max(self._cluster.nodes[node].gpus, 1), 1.0)))

    def idle_w(self, node: int) -> float:
        """What a GPU of a node draws that nobody holds."""
        return self._physics.idle_w(node)

    def excess(self, granted_uw: Mapping[int, int]) -> str | None:
        """Which limit would be exceeded by so much below these levels; None if no level that rises exceeds its own."""
        for level, uw in granted_uw.items():
            if uw > self.granted_uw[level] and uw > self.limit_uw[level]:
                limit_w = self.limit_uw[level] / MICRO
                return f"{self.names[level]} may draw {limit_w:,.0f} W and would be granted {uw / MICRO:,.0f} W"
        return None

    # inside ------------------------------------------------------------------------------------------------------

    def _site_w(self, budget_w: float | None) -> float | None:
        """What the site may draw: the lower of the budget and its own limit."""
        return min((w for w in (budget_w, self._cluster.power.site_limit_w) if w is not None), default=None)

    def _levels(self, rack: str | None) -> tuple[int, ...]:
        """The levels above a node in this rack."""
        row = None if rack is None or rack not in self._cluster.racks else self._cluster.racks[rack].row
        keys = ((SITE, ""), ("row", row), ("rack", rack))
        return tuple(self._number[key] for key in keys if key in self._number)

    def _most(
        self, node: int, without: frozenset[str] = frozenset(), plus: Sequence[tuple[JobRun, int, float | None]] = ()
    ) -> tuple[int, float, int]:
        """(microwatts at the feed, watts of its GPUs, GPUs held): the most of a node; jobs left out, others added."""
        gpu_w, held = 0.0, 0
        for gpu, tenants in enumerate(self._physics.tenants(node)):
            more = [(run, cap_w) for run, mask, cap_w in plus if mask >> gpu & 1] if plus else []
            if more or (without and not without.isdisjoint(tenants)):
                on = [(self._physics.run_of(i), self.caps.get(i)) for i in tenants if i not in without] + more
                gpu_w += self._physics.most_w(node, gpu, on)
                held += bool(on)
            else:
                gpu_w += self._gpu_most_w(node, gpu, tenants)
                held += bool(tenants)
        return self._wall(gpu_w, held / max(self._cluster.nodes[node].gpus, 1)), gpu_w, held

    def _gpu_most_w(self, node: int, gpu: int, tenants: tuple[str, ...]) -> float:
        """The most that a GPU draws with the jobs that are there."""
        of_whom, under, watts = self._gpu_most[node][gpu]
        caps = tuple([self.caps.get(job_id) for job_id in tenants])
        if tenants is not of_whom or under != caps:
            on = [(self._physics.run_of(job_id), cap_w) for job_id, cap_w in zip(tenants, caps, strict=True)]
            watts = self._physics.most_w(node, gpu, on)
            self._gpu_most[node][gpu] = tenants, caps, watts
        return watts

    def _way_there_and_back_uw(self) -> int:
        """The most that a node draws while it falls asleep or wakes up."""
        sleep = self._cluster.power.sleep or SLEEPS["off"]
        return math.ceil(max(sleep.suspend_w, sleep.wake_w, sleep.asleep_w) * MICRO)

    def _wall(self, gpu_w: float, load: float) -> int:
        return math.ceil(node_wall_w(gpu_w, load, self._facts) * MICRO) + ROUNDING_UW

    def _over(self, walls: Mapping[int, int]) -> str | None:
        """Which limit would be exceeded if these nodes drew so much; None if none would."""
        granted_uw: dict[int, int] = {}
        for node, wall in walls.items():
            for level in self.path[node]:
                before = granted_uw.get(level, self.granted_uw[level])
                granted_uw[level] = before + wall - self._wall_uw[node]
        return self.excess(granted_uw)


def _uw(watts: float | None) -> int:
    return NO_LIMIT if watts is None or math.isinf(watts) else math.floor(watts * MICRO)
