"""How `goodwatt explain` prints: sentences and a table for people, JSON for programs."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import orjson
from rich import box
from rich.markup import escape
from rich.table import Table

from goodwatt.cli.counted import counted
from goodwatt.cli.terminal import console
from goodwatt.simulator.records.explanation import Explanation, Place, Room, gpus_text
from goodwatt.simulator.records.explanation_alternatives import ClockChoice

HOUR_S, KWH_J, SOME_S = 3600.0, 3.6e6, 0.5
MOST_PLACES, MOST_NAMES = 8, 4
LIMITS = {"none": "its greatest clock", "cap": "where the power cap holds it", "violated": "its lowest, above the cap"}


def show(found: Explanation, as_json: bool) -> None:
    """Print an explanation."""
    if as_json:
        print(orjson.dumps(asdict(found), option=orjson.OPT_INDENT_2).decode())
        return
    screen = console()
    for part in (_title(found), *_waiting(found), *_places(found), *_cost(found), *_alternatives(found)):
        screen.print(part)


def _title(found: Explanation) -> str:
    job = found.job
    what = f", {job.workload}" if job.workload else ""
    return (
        f"[bold]{escape(job.job_id)}[/bold]: {_gpus(job.num_gpus)}{what}, {job.state}, "
        f"under {escape(found.policy)} and power policy {escape(found.power)}"
    )


def _waiting(found: Explanation) -> list[str]:
    waiting, job = found.waiting, found.job
    if job.state in {"refused", "unsubmitted"}:
        return ["It never entered the queue."]
    until = "" if job.start_s is not None else " and had not started by the end"
    text = f"Waited {_time(waiting.seconds)}{until}. When it was submitted, {_room(waiting.room, job.num_gpus)}"
    were = "was" if waiting.ahead == 1 else "were"
    ahead = f"{counted(waiting.ahead, 'job')} {were} waiting already" if waiting.ahead else "nobody else was waiting"
    overtook = f", and {waiting.overtook:,} that came later started before it." if waiting.overtook else "."
    kept = [f"Last kept waiting where GPUs were free by: {escape(job.waited_for)}."] if job.waited_for else []
    return [f"{text}; {ahead}{overtook}", *kept]


def _room(room: Room, gpus: int) -> str:
    if room.fits and room.nodes:
        return f"{counted(room.nodes, 'node')} had room for it ({_gpus(room.free_gpus)} free)"
    if room.fits:
        return f"{_gpus(room.free_gpus)} were free over all nodes"
    return f"no room: {_gpus(room.free_gpus)} free, at most {room.largest} on one node, {gpus} wanted"


def _places(found: Explanation) -> list[str]:
    if not found.places:
        return []
    lines = [_place(place, found) for place in found.places[:MOST_PLACES]]
    more = len(found.places) - MOST_PLACES
    return [*lines, *([f"... and {more} stays more."] if more > 0 else [])]


def _place(place: Place, found: Explanation) -> str:
    stay = place.stay
    nodes = ", ".join(f"{escape(node)} (GPUs {gpus_text(mask)})" for node, mask in stay.pieces[:MOST_NAMES])
    nodes += f" and {len(stay.pieces) - MOST_NAMES} nodes more" if len(stay.pieces) > MOST_NAMES else ""
    ended = stay.ended or "still running"
    room = _room(place.room, found.job.num_gpus)
    chose = f"{escape(found.policy)} chose"
    if place.beside and not place.room.fits:
        chose = f"{escape(found.policy)} put it beside others"
    text = (
        f"\nFrom {stay.start_s:,.0f} s to {stay.end_s:,.0f} s ({_time(stay.end_s - stay.start_s)}, {escape(ended)}) "
        f"on {nodes or 'no GPU'}, {', '.join(place.kinds)}.\n  Why there: when it started, {room}; {chose}."
    )
    if place.beside:
        names = ", ".join(map(escape, place.beside[:MOST_NAMES]))
        more = f" and {len(place.beside) - MOST_NAMES} more" if len(place.beside) > MOST_NAMES else ""
        text += f"\n  Shared its GPUs ({stay.sharing}) with {names}{more}."
    return text + _clock(place, found)


def _clock(place: Place, found: Explanation) -> str:
    stay, clock = place.stay, place.clock
    setting = [
        *([f"locked at {stay.clock_mhz:,.0f} MHz"] if stay.clock_mhz is not None else []),
        *([f"capped at {stay.cap_w:,.0f} W"] if stay.cap_w is not None else []),
    ]
    text = "\n  Why that clock: "
    if setting:
        why = f" ({escape(stay.why)})" if stay.why else ""
        text += f"{' and '.join(setting)} by {escape(found.power)}{why}"
    elif found.job.lost_s.get("slow_clock", 0.0) > SOME_S:
        text += "none was set at its end, so the board chose; clocks or caps that held before cost it time"
    else:
        text += "nobody set one, so the board chose"
    return f"{text}{_choice(clock)}." if clock is not None else f"{text}."


def _choice(clock: ClockChoice) -> str:
    least = (
        f"; its GPUs need the fewest joules at {clock.least_mhz:,.0f} MHz: {100 * (clock.least_j - 1):+.0f}% energy, "
        f"{100 * (clock.least_slower - 1):+.0f}% time"
    )
    return f"; by itself it settles at {clock.default_mhz:,.0f} MHz, {LIMITS.get(clock.bound_by, 'as locked')}{least}"


def _cost(found: Explanation) -> list[str]:
    cost, job = found.cost, found.job
    if not found.places:
        return []
    parts = [f"{name.replace('_', ' ')} {_time(seconds)}" for name, seconds in cost.lost_s.items() if seconds > SOME_S]
    lines = [f"\nCost: {_time(cost.service_s)} in service. Its time went to " + ", ".join(parts) + "."]
    if cost.energy_j is None:
        return [*lines, "Its energy is unknown."]
    energy = f"Its GPUs took {cost.energy_j / KWH_J:,.3f} kWh"
    energy += f", {100 * cost.share:.2g}% of the run's" if cost.share is not None else ""
    if cost.money is not None:
        energy += f"; that part of the site's bill is {cost.money:,.2f} {cost.currency or ''}".rstrip()
    if cost.co2_kg is not None:
        energy += f", {cost.co2_kg:,.2f} kg of CO2"
    stops = (
        f" It was stopped {counted(job.preemptions, 'time')} and failed {counted(job.failures, 'time')}."
        if _stops(found)
        else ""
    )
    return [*lines, f"{energy}.{stops}"]


def _stops(found: Explanation) -> bool:
    return bool(found.job.preemptions or found.job.failures)


def _alternatives(found: Explanation) -> list[Any]:
    if not found.places:
        return []
    if not found.alternatives:
        return ["No alternatives: the run's physics knows no other speeds or watts for it."]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    table.add_column("the same work", overflow="fold")
    table.add_column("GPU", no_wrap=True)
    for title in ("MHz", "time", "kWh", "free then"):
        table.add_column(title, justify="right", no_wrap=True)
    energy = "-" if found.cost.energy_j is None else f"{found.cost.energy_j / KWH_J:,.3f}"
    table.add_row("as it ran", ", ".join(found.places[-1].kinds), "", _time(found.cost.service_s), energy, "")
    for other in found.alternatives:
        room = f"{other.free_gpus:,}" if other.fitted else f"{other.free_gpus:,}, no room"
        row = (f"{other.clock_mhz:,.0f}", _time(other.time_s), f"{other.energy_j / KWH_J:,.3f}", room)
        table.add_row(other.name, other.gpu, *row)
    return [table, "By the model, in service, GPUs only; partitions and wishes for a GPU kind are not looked at."]


def _gpus(count: int) -> str:
    return counted(count, "GPU")


def _time(seconds: float) -> str:
    return f"{seconds:,.0f} s" if seconds < HOUR_S else f"{seconds / HOUR_S:,.1f} h"
