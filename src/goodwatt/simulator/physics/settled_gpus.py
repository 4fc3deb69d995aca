"""Where every GPU has settled under its tenants and their settings; what one GPU does is `shared_gpu`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import combinations

from goodwatt.cluster.bitset import members
from goodwatt.cluster.cluster import Cluster
from goodwatt.power.gpu.model import GpuModel
from goodwatt.power.gpu.point import GpuPoint
from goodwatt.power.workloads.demand import Setting
from goodwatt.simulator.jobs.job_run import JobRun
from goodwatt.simulator.physics.host_share import Asker
from goodwatt.simulator.physics.instance_facts import InstanceFacts
from goodwatt.simulator.physics.shared_gpu import ALONE, Stretch, fits, settled, sharing_mode, stretch
from goodwatt.simulator.physics.tenants import Tenants
from goodwatt.simulator.physics.truth import Truth

CHIP_DIGITS = 2
"""Chip factors are rounded to hundredths, so that a gang's GPUs share what was computed for one of them."""


MOST_TRIED = 4
"""Jobs on one GPU of which all groups are looked at."""


class SettledGpus:
    """`points[node][gpu]`: where it has settled; None if nobody is on it or nothing is known of its kind.

    `share_mode`: how jobs that want a share of a GPU share it.
    """

    def __init__(self, cluster: Cluster, tenants: Tenants, truth: Truth, share_mode: str) -> None:
        self._cluster, self._tenants, self._truth, self._share_mode = cluster, tenants, truth, share_mode
        self.points: list[tuple[GpuPoint | None, ...]] = [(None,) * node.gpus for node in cluster.nodes]
        self._chips: dict[tuple[int, int], float] = {}

    def settle(self, node: int, mask: int) -> None:
        """Find the points of these GPUs."""
        model, points = self._tenants.models[node], list(self.points[node])
        for gpu in members(mask):
            points[gpu] = None if model is None else self._point(model, node, gpu)
        self.points[node] = tuple(points)

    def point_under(self, model: GpuModel, node: int, gpu: int, runs: Sequence[JobRun], setting: Setting) -> GpuPoint:
        """Where a GPU would settle with these jobs on it under a setting."""
        on = [(run, self._tenants.on(run, model)) for run in runs]
        mode = sharing_mode(runs, self._share_mode)
        return settled(model, on, mode, setting, self._chip(model, node, gpu), self._truth)

    def most_w(self, model: GpuModel, node: int, gpu: int, runs: Sequence[JobRun], cap_w: float) -> float:
        """The most that a GPU draws while any of these jobs compute on it under a cap, the others held up or gone.

        Above the cap only where even the lowest clock draws more. Then some may draw more than all together, because
        whoever stands still leaves the GPU to who asks more of it. Nobody computes faster beside others than alone, so
        what the jobs draw alone bounds it; that bound is taken where there are many of them, and for instances in
        slices, whose demand is made up so that they draw what they really drew. Instances count as `busiest`.
        """
        together_w = self._busiest_w(model, node, gpu, runs, Setting(None, cap_w))
        sliced = runs[0].spec.mig_profile is not None and any(run.spec.job_id in self._tenants.served for run in runs)
        if len(runs) == 1 and not sliced:
            return max(cap_w, together_w)
        lowest = Setting(model.clocks_mhz[0], cap_w)
        alone_w = [self._alone_w(model, node, gpu, run, lowest) - model.context_w for run in runs]
        bound_w = max(cap_w, together_w, model.context_w + sum(alone_w))
        if bound_w <= cap_w or len(runs) > MOST_TRIED or sliced:
            return bound_w
        some = (group for size in range(1, len(runs)) for group in combinations(runs, size))
        setting = Setting(None, cap_w)
        return max(cap_w, together_w, *(self._busiest_w(model, node, gpu, group, setting) for group in some))

    def _alone_w(self, model: GpuModel, node: int, gpu: int, run: JobRun, lowest: Setting) -> float:
        """What a GPU draws at the lowest clock with one of its jobs; an instance at most."""
        if (served := self._tenants.served.get(run.spec.job_id)) is not None:
            return served.least_w(model, self._chip(model, node, gpu))
        return self.point_under(model, node, gpu, [run], lowest).watts

    def _busiest_w(self, model: GpuModel, node: int, gpu: int, runs: Sequence[JobRun], setting: Setting) -> float:
        """What a GPU draws with these jobs under a setting, whose instances do the most that they may."""
        chip, mode = self._chip(model, node, gpu), sharing_mode(runs, self._share_mode)
        facts = [self._tenants.on(run, model) for run in runs]
        most = [one.busiest(model, chip) if isinstance(one, InstanceFacts) else one for one in facts]
        return settled(model, list(zip(runs, most, strict=True)), mode, setting, chip, self._truth).watts

    def stretch(self, node: int, gpu: int, run: JobRun) -> Stretch:
        """How many times longer the neighbours on a GPU, or its slice of it, make a job's work take."""
        model, paused = self._tenants.models[node], self._tenants.paused
        runs = [one for one in self._tenants.runs_on(node, gpu) if one.spec.job_id not in paused]
        if model is None or run not in runs:
            return ALONE
        mode = sharing_mode(runs, self._share_mode)
        if mode is None:
            return ALONE
        on = [(one, self._tenants.on(one, model)) for one in runs]
        return stretch(model, on, mode, runs.index(run), self._truth)

    def setting(self, node: int, gpu: int) -> Setting:
        """The clock and the cap of a GPU: the least that anybody on it has been given."""
        model, runs = self._tenants.models[node], self._tenants.runs_on(node, gpu)
        cap_w = None if model is None else common_cap_w(model, runs)
        return Setting(_least([run.clock_mhz for run in runs]), cap_w)

    def shared(self, node: int, gpu: int) -> bool:
        """Whether no job has the whole GPU to itself."""
        return sharing_mode(self._tenants.runs_on(node, gpu), self._share_mode) is not None

    def fits_memory(self, run: JobRun) -> bool:
        """Whether every GPU of a job has room for it beside those who came before."""
        for node, mask in run.placement:
            model = self._tenants.models[node]
            for gpu in members(mask) if model is not None else ():
                runs = self._tenants.runs_on(node, gpu)
                mode = sharing_mode(runs, self._share_mode)
                if model is None or mode is None or (len(runs) == 1 and mode != "mig"):
                    continue
                on = [(other, self._tenants.on(other, model)) for other in runs]
                if not fits(model, on, mode, runs.index(run)):
                    return False
        return True

    def askers(self, node: int) -> list[Asker]:
        """The jobs with GPUs on a node, and what they ask of its host at the speeds of their GPUs."""
        model, tenants = self._tenants.models[node], self._tenants
        found: dict[str, list[float]] = {}
        for point, here in zip(self.points[node], tenants.of_gpus[node], strict=True):
            for job_id, speed in zip(here, point.speeds if point is not None else (), strict=False):
                if job_id not in tenants.paused:
                    found.setdefault(job_id, []).append(speed)
        if model is None:
            return []
        return [
            Asker(job_id, tenants.on(tenants.runs[job_id], model).demand, len(speeds), min(speeds))
            for job_id, speeds in found.items()
        ]

    def held_mhz(self, run: JobRun) -> Mapping[str, float]:
        """The lowest clock of a job's GPUs, by kind."""
        lowest: dict[str, float] = {}
        for node, mask in run.placement:
            kind, points = self._cluster.nodes[node].gpu_kind, self.points[node]
            for point in (points[gpu] for gpu in members(mask)):
                if point is not None:
                    lowest[kind] = min(lowest.get(kind, point.clock_mhz), point.clock_mhz)
        return lowest

    def copy(self, tenants: Tenants) -> SettledGpus:
        """The same over a copy of the tenants."""
        twin = object.__new__(SettledGpus)
        twin.__dict__.update(self.__dict__, _tenants=tenants, points=self.points[:])
        return twin

    def _point(self, model: GpuModel, node: int, gpu: int) -> GpuPoint | None:
        names, paused = self._tenants.of_gpus[node][gpu], self._tenants.paused
        if not names:
            return None
        runs, setting = self._tenants.runs_on(node, gpu), self.setting(node, gpu)
        if paused and not paused.isdisjoint(names):
            runs = [run for run in runs if run.spec.job_id not in paused] or runs
        point = self.point_under(model, node, gpu, runs, setting)
        return point if len(runs) == len(names) else _with_paused(point, runs, names)

    def chip(self, node: int, gpu: int) -> float:
        """The factor on the SM watts of a GPU; 1 where nothing is known of its kind."""
        model = self._tenants.models[node]
        return 1.0 if model is None else self._chip(model, node, gpu)

    def _chip(self, model: GpuModel, node: int, gpu: int) -> float:
        chip = self._chips.get((node, gpu))
        if chip is None:
            name = self._cluster.nodes[node].name
            chip = round(self._truth.chip_factor(name, gpu, model.power.chip_spread), CHIP_DIGITS)
            self._chips[node, gpu] = chip
        return chip


def common_cap_w(model: GpuModel, runs: Sequence[JobRun]) -> float | None:
    """The cap of a GPU with these jobs: the lowest of theirs, or the next to it that the board takes."""
    cap_w = _least([run.cap_w for run in runs])
    return None if cap_w is None else cap_in_range(model, cap_w)


def cap_in_range(model: GpuModel, cap_w: float) -> float:
    """The cap that a board takes next to this one."""
    least_w, most_w = model.kind.min_cap_w or 0.0, model.kind.max_cap_w or math.inf
    return min(max(cap_w, least_w), most_w)


def _with_paused(point: GpuPoint, runs: Sequence[JobRun], tenants: tuple[str, ...]) -> GpuPoint:
    """The point of those who compute as one of all tenants; the others stand still."""
    speeds = dict(zip((run.spec.job_id for run in runs), point.speeds, strict=True))
    return point._replace(speeds=tuple(speeds.get(job_id, 0.0) for job_id in tenants))


def _least(values: Sequence[float | None]) -> float | None:
    if len(values) == 1:
        return values[0]
    return min([value for value in values if value is not None], default=None)
