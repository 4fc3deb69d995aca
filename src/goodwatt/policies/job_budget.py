"""A power budget divided among jobs: what each GPU of a running job may draw under the limits of site, rows and racks.

The leaves of the tree are jobs, or their parts where a gang stands below several limits; a gang gets one cap, the
least that any of its parts allows. Limits are at the feed: what nodes add to their GPUs is bounded from above by a
straight line over the curve of each node as it is occupied now. How to divide is in `power.budgets.division`, who
enforces it is `simulator.power.power_book`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from types import MappingProxyType

from goodwatt.cluster.gpu_kind import GpuKind
from goodwatt.cluster.state import NodeCounts
from goodwatt.power.budgets.budget_tree import BudgetTree, limit_mw
from goodwatt.power.budgets.division import Want, divide
from goodwatt.power.budgets.goodput_curve import GoodputCurve, goodput_curve
from goodwatt.power.facility.supply import node_facts, wall_line
from goodwatt.power.gpu.model import CAP_KEPT, GpuModel, gpu_model
from goodwatt.power.workloads.demand import Demand
from goodwatt.simulator.jobs.job_run import JobRun
from goodwatt.simulator.physics.power_meter import MICRO
from goodwatt.simulator.power.power_book import NO_LIMIT
from goodwatt.simulator.power.power_room import PowerRoom
from goodwatt.simulator.view import View

MOST_GPU_W = 1500.0
"""Taken for the board of a GPU whose limit nobody published: no kind of the catalogue may draw more."""
STEP_W = 5.0
"""Caps are multiples of it."""
POINTS = 12
"""Clocks at which a goodput curve is looked at."""
SPARE = 1e-3
"""Of the least slope of a curve: what a watt beyond its end is taken to buy."""
NOTHING_MORE: Mapping[int, float] = MappingProxyType({})
UNKNOWN = Demand(u=0.36, m=0.35, kappa=0.65)
"""A job of which nothing is known: about the mean of the training classes of the catalogue."""


@dataclass(frozen=True, slots=True)
class Ask:
    """What one GPU of a job asks for: `floor_w`, less is of no use, `most_w`, more neither; `rated_w` of its board.

    `curve`: what watts buy, with a last stretch up to `rated_w` that buys next to nothing.
    """

    floor_w: float
    most_w: float
    rated_w: float
    curve: GoodputCurve
    _scaled: dict[int, GoodputCurve] = field(default_factory=dict, compare=False, repr=False)

    def curve_of(self, gpus: int) -> GoodputCurve:
        """The curve of so many of them."""
        scaled = self._scaled.get(gpus)
        if scaled is None:
            watts, goodput = (
                tuple(gpus * value for value in values) for values in (self.curve.watts, self.curve.goodput)
            )
            scaled = self._scaled[gpus] = GoodputCurve(watts, goodput)
        return scaled


@dataclass(frozen=True, slots=True)
class Share:
    """A job that takes part in a division.

    `nodes`: GPUs on each node. `ask`: what each of its GPUs asks for. `running`: it holds these GPUs, else it waits for
    power to start on them.
    """

    job_id: str
    nodes: NodeCounts
    ask: Ask
    priority: int
    running: bool = True
    _parts: dict[str, list[Part]] = field(default_factory=dict, compare=False, repr=False)

    def parts(self, book: PowerRoom, way: str) -> list[Part]:
        """What it wants below each of its lowest limits; found out once."""
        found = self._parts.get(way)
        if found is None:
            found = self._parts[way] = [
                (level, gpus, _want(self, gpus, way)) for level, gpus in _gpus_below(book, self.nodes).items()
            ]
        return found


Part = tuple[int, int, Want]
"""(lowest limit above some of a job's GPUs, how many of them, what they want)."""


@dataclass(frozen=True, slots=True)
class Caps:
    """What a division comes to: a cap for each job, the jobs that did not get their floors, and the levels below which
    floors do not fit.
    """

    cap_w: Mapping[str, float]
    short: frozenset[str]
    tight: frozenset[int] = frozenset()


def divided(view: View, book: PowerRoom, shares: Sequence[Share], way: str) -> Caps:
    """The limits of the book divided among jobs in one of `power.budgets.division.WAYS`."""
    parts = [(share, *part) for share in shares for part in share.parts(book, way)]
    limits_w = _gpu_limits_w(view, book, _coming(share.nodes for share in shares if not share.running))
    tree = _tree(book, limits_w, [level for _, level, _, _ in parts])
    division = divide(tree, [want for _, _, _, want in parts], way)
    caps: dict[str, float] = {}
    short = set()
    for (share, _, gpus, _), grant_w, lacking in zip(parts, division.grant_w, division.short_mw, strict=True):
        caps[share.job_id] = min(caps.get(share.job_id, math.inf), grant_w / gpus)
        if lacking > gpus:  # more than what rounding takes
            short.add(share.job_id)
    return Caps(caps, frozenset(short), _tight(book, shares, limits_w) if short else frozenset())


def _tight(book: PowerRoom, shares: Iterable[Share], limits_w: Sequence[float | None]) -> frozenset[int]:
    """Levels below which floors come to more than the limit."""
    floors_w = [0.0] * len(limits_w)
    for share in shares:
        for node, gpus in share.nodes:
            for level in book.path[node]:
                floors_w[level] += gpus * share.ask.floor_w
    pairs = zip(floors_w, limits_w, strict=True)
    return frozenset(level for level, (floor_w, limit) in enumerate(pairs) if limit is not None and floor_w > limit)


def floors_fit(
    view: View,
    book: PowerRoom,
    starts: Iterable[NodeCounts],
    leaving: Iterable[NodeCounts],
    floor_share: float,
    spared: Iterable[NodeCounts] = (),
    more_w: Mapping[int, float] = NOTHING_MORE,
) -> bool:
    """Whether the floors of all jobs that run on and of these that would start fit below every limit.

    `leaving`: GPUs of those that stop. `spared`: GPUs whose floor is the board's own power. `more_w`: watts by node
    that services need above the floors of its GPUs.
    """
    cluster, whole = view.state.cluster, _coming(spared)
    coming = _coming(starts)
    for node, count in _coming(leaving).items():
        coming[node] = coming.get(node, 0) - count
    floors_w = [0.0] * len(book.names)
    in_use = book.held
    for node, path in enumerate(book.path):
        held = max(in_use[node] + coming.get(node, 0), 0)
        kind, full = cluster.kinds[cluster.nodes[node].gpu_kind], whole.get(node, 0)
        floor_w = floor_of(kind, floor_share) * (held - full) + board_w(kind) * full + more_w.get(node, 0.0)
        for level in path:
            floors_w[level] += floor_w
    limits_w = _gpu_limits_w(view, book, coming)
    return all(limit is None or watts <= limit for watts, limit in zip(floors_w, limits_w, strict=True))


def together(view: View) -> list[list[JobRun]]:
    """Running jobs on boards with a known limit, those on the same GPUs together: they have one cap."""
    taken: dict[int, list[tuple[int, list[JobRun]]]] = {}
    found: list[list[JobRun]] = []
    for run in (run for pool in view.pools for run in pool.running.values()):
        kind = view.kind_of(run.placement)
        if kind is None or kind.max_w is None or not run.spec.num_gpus:
            continue
        group = _beside(run, taken)
        if group is None:
            found.append(group := [])
        group.append(run)
        for node, mask in run.placement:
            taken.setdefault(node, []).append((mask, group))
    return found


def _beside(run: JobRun, taken: Mapping[int, Sequence[tuple[int, list[JobRun]]]]) -> list[JobRun] | None:
    """Who holds one of a job's GPUs already."""
    return next((who for node, mask in run.placement for held, who in taken.get(node, ()) if held & mask), None)


def counts_of(run: JobRun) -> NodeCounts:
    """GPUs that a running job holds on each node."""
    return tuple((node, mask.bit_count()) for node, mask in run.placement)


@lru_cache(maxsize=256)
def floor_of(kind: GpuKind, floor_share: float) -> float:
    """The least that a GPU of a kind gets: a share of its rated power, at least its lowest cap."""
    rated_w = board_w(kind)
    return min(_up(max(float(kind.min_cap_w or 0.0), floor_share * rated_w)), rated_w)


@lru_cache(maxsize=4096)
def ask_of(kind: GpuKind, demand: Demand | None, floor_share: float, margin: float) -> Ask:
    """What a job with this demand asks for on a kind of GPU; None: nothing is known of it, or of the kind.

    The most is `margin` above what it draws.
    """
    rated_w, floor_w = board_w(kind), floor_of(kind, floor_share)
    if kind.power_model is None:
        return Ask(floor_w, rated_w, rated_w, goodput_curve([(floor_w, 0.5), (rated_w, 1.0)]))
    model, most_w = gpu_model(kind), rated_w
    if demand is not None:
        drawn_w = model.watts(demand, model.top_mhz) / CAP_KEPT
        most_w = max(min(rated_w, _up(drawn_w * (1.0 + margin))), floor_w)
    curve = _curve(model, UNKNOWN if demand is None else demand, floor_w, most_w)
    return Ask(floor_w, most_w, rated_w, _with_spare(curve, rated_w))


def _curve(model: GpuModel, demand: Demand, floor_w: float, most_w: float) -> GoodputCurve:
    """Speed of a workload against the cap that holds it there, from `floor_w` to `most_w`."""
    top = len(model.clocks_mhz) - 1
    clocks = sorted({round(top * i / (POINTS - 1)) for i in range(POINTS)})
    points = []
    for i in clocks:
        clock_mhz = model.clocks_mhz[i]
        points.append((model.watts(demand, clock_mhz) / CAP_KEPT, 1.0 / model.slowdown(demand, clock_mhz)))
    inside = [(watts, speed) for watts, speed in points if floor_w < watts < most_w]
    ends = [(watts, _speed_at(points, watts)) for watts in (floor_w, most_w)]
    return goodput_curve([*ends, *inside])


def _with_spare(curve: GoodputCurve, rated_w: float) -> GoodputCurve:
    """The curve with a last stretch up to the rated power that buys next to nothing: for power that nobody needs."""
    if rated_w <= curve.watts[-1]:
        return curve
    slope = SPARE * min(curve.slopes, default=1.0)
    more = curve.goodput[-1] + slope * (rated_w - curve.watts[-1])
    return GoodputCurve((*curve.watts, rated_w), (*curve.goodput, more))


def board_w(kind: GpuKind) -> float:
    """The rated power of a board."""
    return kind.max_w or MOST_GPU_W


def _speed_at(points: Sequence[tuple[float, float]], watts: float) -> float:
    """Linear between points that rise; that of the ends beyond them."""
    if watts <= points[0][0]:
        return points[0][1]
    for (w0, s0), (w1, s1) in pairwise(points):
        if watts <= w1:
            return s0 + (s1 - s0) * (watts - w0) / (w1 - w0) if w1 > w0 else s1
    return points[-1][1]


def rounded(watts: float) -> float:
    """In whole steps, down."""
    return math.floor(watts / STEP_W) * STEP_W


def _up(watts: float) -> float:
    return math.ceil(watts / STEP_W) * STEP_W


def _gpus_below(book: PowerRoom, nodes: NodeCounts) -> dict[int, int]:
    """GPUs by the lowest limit above them."""
    found: dict[int, int] = {}
    for node, count in nodes:
        level = book.path[node][-1]
        found[level] = found.get(level, 0) + count
    return found


def _tree(book: PowerRoom, limits_w: Sequence[float | None], leaves: Sequence[int]) -> BudgetTree:
    levels = len(book.names)
    parents = [-1] + [0] * (levels - 1)
    for path in book.path:
        for above, below in pairwise(path):
            parents[below] = above
    names = *book.names, *[""] * len(leaves)
    return BudgetTree(
        names=names,
        parent=(*parents, *leaves),
        limit_mw=(*(limit_mw(watts) for watts in limits_w), *[limit_mw(None)] * len(leaves)),
        leaves=tuple(range(levels, len(names))),
    )


def _want(share: Share, gpus: int, way: str) -> Want:
    """A share's part with so many GPUs; one that waits wants its floor and no more."""
    ask = share.ask
    spare = way == "goodput"  # what nobody needs is given away too: a job may need more than is believed
    most_w = ask.floor_w if not share.running else ask.rated_w if spare else ask.most_w
    return Want(
        floor_w=gpus * ask.floor_w,
        most_w=gpus * most_w,
        capacity_w=gpus * ask.rated_w,
        priority=share.priority,
        curve=ask.curve_of(gpus) if way == "goodput" else None,
    )


def _coming(starts: Iterable[NodeCounts]) -> dict[int, int]:
    """GPUs by node."""
    coming: dict[int, int] = {}
    for nodes in starts:
        for node, count in nodes:
            coming[node] = coming.get(node, 0) + count
    return coming


def _gpu_limits_w(view: View, book: PowerRoom, coming: Mapping[int, int]) -> list[float | None]:
    """What the GPUs of jobs may draw together below each level, with so many more on nodes to which some are coming."""
    cluster = view.state.cluster
    facts = node_facts(cluster.power)
    fixed, slope, in_use = [0.0] * len(book.names), [1.0] * len(book.names), book.held
    for node, path in enumerate(book.path):
        facts_of, gpus = cluster.nodes[node], cluster.nodes[node].gpus
        kind = cluster.kinds[facts_of.gpu_kind]
        held = min(in_use[node] + coming.get(node, 0), gpus)
        line = wall_line(facts, (gpus - held) * (kind.idle_w or 0.0), held / max(gpus, 1), held * board_w(kind))
        for level in path:
            fixed[level] += line.fixed_w
            slope[level] = max(slope[level], line.slope)
    return [
        None if limit >= NO_LIMIT else max((limit / MICRO - base) / rise, 0.0)
        for limit, base, rise in zip(book.limit_uw, fixed, slope, strict=True)
    ]
