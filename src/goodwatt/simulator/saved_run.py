"""A run as a file: what `save` writes, `load` takes up again, to the same bytes in the end.

The file is JSON without code (nothing in it is executed), columns as base64 of their machine words. It holds the state
of the run, not its inputs: whoever loads it brings the same jobs, cluster, policy, engine and options, which is checked
by hash.
"""

from __future__ import annotations

import base64
import hashlib
import json
from array import array
from collections.abc import Sequence
from dataclasses import asdict, fields, is_dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

from sortedcontainers import SortedSet

from goodwatt.cluster.cluster import Cluster
from goodwatt.cluster.fingerprint import fingerprint
from goodwatt.cluster.job import Job, JobRequest
from goodwatt.cluster.state import Placement
from goodwatt.errors import InputError, RunError
from goodwatt.simulator import nodes
from goodwatt.simulator.acting import longest_wait
from goodwatt.simulator.decisions import Decision, Group, Malformed, Refusal
from goodwatt.simulator.jobs.job_run import EXCLUSIVE, JobRun
from goodwatt.simulator.jobs.lost_time import LostTime, Slowdowns
from goodwatt.simulator.jobs.progress import Progress
from goodwatt.simulator.partitions import restore_slices, slices_to_plain
from goodwatt.simulator.physics.contract import ClusterPower
from goodwatt.simulator.policy import Policy
from goodwatt.simulator.records.recorder import Recorder, Totals
from goodwatt.simulator.records.result import Occupancy
from goodwatt.simulator.settings.engine import Engine
from goodwatt.simulator.settings.run_options import DEFAULTS, RunOptions
from goodwatt.simulator.simulation import Simulation
from goodwatt.simulator.view import Pool
from goodwatt.simulator.world import show

FORMAT = "goodwatt run 4"
"""Another one whenever what is written of a job or of the run changes."""

_PLAIN = (
    "next_arrival", "next_outage", "next_mark", "wake_s", "round_s", "deciding", "stopped", "sequence",
    "last_round_s", "rounds_now", "still_since_s", "budget_w",
)  # fmt: skip
_OWN = {"spec", "_request", "_truth"}
_DECISIONS: dict[str, type] = {kind.__name__: kind for kind in (*get_args(Decision), Malformed)}


def save(simulation: Simulation, path: Path) -> None:
    """Write the run as it stands; the file is replaced whole."""
    text = json.dumps({"format": FORMAT, "inputs": _inputs(simulation), "state": _state(simulation)})
    part = path.with_name(path.name + ".part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)


def load(
    path: Path,
    jobs: Sequence[Job],
    cluster: Cluster,
    policy: Policy,
    engine: Engine | None = None,
    options: RunOptions = DEFAULTS,
) -> Simulation:
    """Take up a saved run. InputError if the file is damaged or belongs to other inputs."""
    simulation = Simulation(jobs, cluster, policy, engine, options)
    content = _read(path)
    for name, value in _inputs(simulation).items():
        if content["inputs"].get(name) != value:
            raise InputError(f"{path}: saved with another {name}: expected {content['inputs'].get(name)}, got {value}")
    try:
        _restore(simulation, content["state"])
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError, RunError) as error:
        raise InputError(f"{path}: expected a saved run, got damaged content ({error!r})") from None
    return simulation


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: no such saved run") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: expected a saved run, got a file that cannot be read: {error}") from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        got = content.get("format") if isinstance(content, dict) else type(content).__name__
        raise InputError(f"{path}: expected a saved run of format {FORMAT!r}, got {got!r}")
    for part in ("inputs", "state"):
        if not isinstance(content.get(part), dict):
            raise InputError(f"{path}: expected a saved run with its {part}, got damaged content")
    return content


def _inputs(sim: Simulation) -> dict[str, str]:
    """Hashes of what the file does not hold, by name."""
    jobs = hashlib.sha256()
    for job in sim.jobs:
        jobs.update(repr(job).encode())
    inputs = {
        "trace": jobs.hexdigest(),
        "cluster": fingerprint(sim.cluster),
        "policy": sim.policy.name,
        "engine": repr(sim.engine),
        "options": repr(replace(sim.options, services=())),
    }
    return inputs if sim.services is None else {**inputs, "services": _saved_services().fingerprint(sim.services)}


def _saved_services() -> ModuleType:
    """Loaded with a run that has services only: it needs numpy."""
    from goodwatt.simulator.services import saved_services

    return saved_services


def _state(sim: Simulation) -> dict[str, Any]:
    return {
        **{name: getattr(sim, name) for name in _PLAIN},
        "now_s": sim.now_s,
        "view_now_s": sim.view.now_s,
        "up": format(sim.state.up, "x"),
        "placed": list(sim.state.placements),
        "paused": [job_id for job_id in sim.state.placements if sim.physics.paused(job_id)],
        "runs": [_run_to_plain(run) for run in sim.live.values()],
        "running": [list(pool.running) for pool in _pools(sim)],
        "changed": [pool.changed for pool in _pools(sim)],
        "asleep": list(sim.asleep.items()),
        "away": list(sim.away.items()),
        "late": list(sim.late),
        "resetting": [[*place, ready_s] for place, ready_s in sim.resetting.items()],
        "slices": slices_to_plain(sim.state),
        "timers": sim.timers.to_plain(),
        "racks": sim.racks.to_plain(),
        "book": sim.book and sim.book.to_plain(),
        "ramp": sim.ramp and sim.ramp.to_plain(),
        "failures": sim.failures and sim.failures.to_plain(),
        "lost": [list(lost) for lost in enumerate(sim.state.lost_mask) if lost[1]],
        "refused": list(sim.refused.items()),
        "refusals": [[r.time_s, _decision_to_plain(r.decision), r.reason] for r in sim.executor.refusals],
        "random": sim.view.random.getstate(),
        "memory": sim.view.memory.to_plain(),
        "recorder": {name: _column_to_plain(value) for name, value in vars(sim.recorder).items()},
        "services": sim.services and _saved_services().to_plain(sim, sim.services),
    }


def _pools(sim: Simulation) -> list[Pool]:
    """Those of jobs, and those of services."""
    return [*sim.view.pools, *(sim.services.pools if sim.services is not None else ())]


def _restore_pools(sim: Simulation, state: dict[str, Any]) -> None:
    for pool, running, changed in zip(_pools(sim), state["running"], state["changed"], strict=True):
        pool.running = {job_id: sim.live[job_id] for job_id in running}
        pool.changed = changed
    for run in sim.live.values():
        if not run.placement:
            sim.pool_of(run.spec).queue.add((run.key, run.sequence, run))


def _restore(sim: Simulation, state: dict[str, Any]) -> None:
    for name in _PLAIN:
        setattr(sim, name, state[name])
    runs = [_run_from_plain(plain, sim) for plain in state["runs"]]
    sim.live = {run.spec.job_id: run for run in runs}
    if sim.services is not None:
        _saved_services().load_plain(sim, sim.services, state["services"])
    _restore_nodes(sim, state)
    for job_id in state["placed"]:
        _restore_placement(sim, sim.live[job_id])
    for job_id in state["paused"]:
        sim.physics.pause(sim.live[job_id], True)
    _restore_pools(sim, state)
    sim.late = SortedSet((index, job_id) for index, job_id in state["late"])
    if sim.ramp is not None:
        sim.ramp.load_plain(state["ramp"])
    sim.physics.changes()  # the runs have been saved with them
    sim.timers.load_plain(state["timers"])
    sim.racks.load_plain(state["racks"])
    show(sim)
    if sim.book is not None:
        sim.book.load_plain(state["book"])
    sim.refused = {int(index): reason for index, reason in state["refused"]}
    sim.executor.refusals = [Refusal(t, _decision_from_plain(d), reason) for t, d, reason in state["refusals"]]
    version, words, gauss = state["random"]
    sim.view.random.setstate((version, tuple(words), gauss))
    sim.view.memory.load_plain(state["memory"])
    sim.view.now_s = state["view_now_s"]
    _restore_recorder(sim.recorder, state["recorder"])
    if sim.deciding:
        longest_wait.show(sim)
    sim.set_going(state["now_s"])


def _restore_nodes(sim: Simulation, state: dict[str, Any]) -> None:
    """Which nodes and GPUs are away and why, and what will fail next."""
    restore_slices(sim.state, state["slices"])
    sim.resetting = {(node, gpu): ready_s for node, gpu, ready_s in state["resetting"]}
    for node, mask in state["lost"]:
        sim.state.set_lost(node, mask, True)
    up = int(state["up"], 16)
    for node in range(len(sim.cluster.nodes)):
        nodes.set_up(sim, node, bool(up >> node & 1))
    sim.away = {int(node): int(reasons) for node, reasons in state["away"]}
    sim.asleep.update((int(node), how) for node, how in state["asleep"])
    for node in sim.away:
        sim.physics.set_node(node, nodes.mode(sim, node))
    if sim.failures is not None:
        sim.failures.load_plain(state["failures"])


def _restore_placement(sim: Simulation, run: JobRun) -> None:
    if run.sharing == EXCLUSIVE:
        counts = tuple((node, mask.bit_count()) for node, mask in run.placement)
        sim.state.allocate(run.spec, counts, tuple(mask for _, mask in run.placement))
    else:
        sim.state.take_back(run.spec, run.placement)
    sim.physics.placed(run)
    if sim.quotas is not None:
        sim.quotas.add(run.spec, 1)


def _run_to_plain(run: JobRun) -> dict[str, Any]:
    plain = {name: getattr(run, name) for name in JobRun.__slots__ if name not in _OWN}
    return {**plain, "asks": _asks(run), "truth": _truth_to_plain(run._truth)}


def _truth_to_plain(truth: Progress) -> dict[str, Any]:
    plain = {name: getattr(truth, name) for name in Progress.__slots__ if name not in {"job", "lost"}}
    return {**plain, "lost": truth.lost.to_plain(), "more_gpu_s": truth.lost.more_gpu_s}


def _asks(run: JobRun) -> dict[str, Any]:
    """What of the request that it has now is not the trace's."""
    if run.spec is run._request:
        return {}
    names = (f.name for f in fields(JobRequest))
    return {name: getattr(run.spec, name) for name in names if getattr(run.spec, name) != getattr(run._request, name)}


def _run_from_plain(plain: dict[str, Any], sim: Simulation) -> JobRun:
    run = _fresh(plain["index"], sim)
    asks, truth = plain.pop("asks"), plain.pop("truth")
    for name, value in plain.items():
        setattr(run, name, value)
    run.spec = replace(run.spec, **asks) if asks else run.spec
    run.placement = _placement(plain["placement"])
    run.key = tuple(plain["key"]) if isinstance(plain["key"], list) else plain["key"]
    _restore_truth(run._truth, truth)
    return run


def _fresh(index: int, sim: Simulation) -> JobRun:
    """A job as it was submitted; behind all of them stand instances of services."""
    if index < len(sim.jobs) or sim.services is None:
        return JobRun(sim.jobs[index], index, sim.submitted[index].request)
    instance = list(sim.services.instances.values())[index - len(sim.jobs)]
    return JobRun(instance.run._truth.job, index)


def _restore_truth(truth: Progress, plain: dict[str, Any]) -> None:
    lost = LostTime.from_plain(plain.pop("lost"), plain.pop("more_gpu_s"))
    for name, value in plain.items():
        setattr(truth, name, value)
    truth.lost, truth.slow = lost, Slowdowns(*truth.slow)


def _placement(plain: list[list[int]]) -> Placement:
    return tuple((node, mask) for node, mask in plain)


def _decision_to_plain(decision: Any) -> dict[str, Any]:
    values = {f.name: getattr(decision, f.name) for f in fields(decision)}
    if isinstance(decision, Group):
        values["decisions"] = [_decision_to_plain(step) for step in decision.decisions]
    return {"is": type(decision).__name__, **values}


def _decision_from_plain(plain: dict[str, Any]) -> Any:
    values = {key: value for key, value in plain.items() if key != "is"}
    if "decisions" in values:
        values["decisions"] = tuple(_decision_from_plain(step) for step in values["decisions"])
    if "nodes" in values:
        values["nodes"] = _placement(values["nodes"])
        values["gpus"] = None if values["gpus"] is None else tuple(values["gpus"])
    if "profiles" in values:
        values["profiles"] = tuple(values["profiles"])
    return _DECISIONS[plain["is"]](**values)


def _column_to_plain(value: Any) -> Any:
    if isinstance(value, array):
        return {"typecode": value.typecode, "words": base64.b64encode(value.tobytes()).decode()}
    if isinstance(value, dict):
        return {key: _column_to_plain(entry) for key, entry in value.items()}
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else value


def _restore_recorder(recorder: Recorder, plain: dict[str, Any]) -> None:
    if plain.keys() != vars(recorder).keys():
        raise ValueError(f"columns {', '.join(plain.keys() ^ vars(recorder).keys())}")
    for name, value in plain.items():
        if isinstance(value, dict) and "typecode" in value:
            column = array(value["typecode"])
            column.frombytes(base64.b64decode(value["words"]))
            if len(getattr(recorder, name)) not in {0, len(column)}:
                raise ValueError(f"column {name} of {len(column)} entries")
            setattr(recorder, name, column)
        else:
            setattr(recorder, name, value)
    recorder._parts = ClusterPower(*plain["_parts"])
    recorder.totals = Totals(**plain["totals"])
    recorder.marks = {name: Totals(**totals) for name, totals in plain["marks"].items()}
    recorder.nodes = [_placement(placement) for placement in plain["nodes"]]
    recorder.more_gpu_s = [(job, seconds) for job, seconds in plain["more_gpu_s"]]
    if plain["occupancy"] is not None:
        recorder.occupancy = [Occupancy(*stay) for stay in plain["occupancy"]]
