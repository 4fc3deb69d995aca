"""When energy is cheap or clean enough to wait for."""

from __future__ import annotations

from goodwatt.cluster.job import JobRequest
from goodwatt.power.facility.energy_price import StepSeries, cheapest_start_s
from goodwatt.simulator.view import View


def series_of(view: View, by: str) -> StepSeries | None:
    """The price (`price`) or the carbon intensity (`carbon`) of the cluster's energy, if somebody says."""
    if view.price is None:
        return None
    return view.price.per_kwh if by == "price" else view.price.gco2_per_kwh


def latest_start_s(job: JobRequest, lasts_s: float, max_delay_s: float) -> float:
    """Until when a job that lasts so long may wait: for its deadline, or that long after its submission."""
    return job.submit_s + max_delay_s if job.deadline_s is None else job.deadline_s - lasts_s


def worthwhile_start_s(series: StepSeries, lasts_s: float, now_s: float, latest_s: float, saving: float) -> float:
    """When to start what lasts so long, up to `latest_s`: now, unless later costs less by at least a share `saving`."""
    if latest_s <= now_s:
        return now_s
    best_s = cheapest_start_s(series, lasts_s, now_s, latest_s)
    now, then = (series.integral(start_s, start_s + lasts_s) for start_s in (now_s, best_s))
    return best_s if then < now * (1.0 - saving) else now_s
