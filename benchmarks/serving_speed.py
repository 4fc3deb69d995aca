"""CPU seconds and memory of runs with services, start-up included, beside a fixed loop of the same run.

    python benchmarks/serving_speed.py [--hours 24]

The Azure conversation hour (19,366 requests) on 8 instances of a 70B model on four H100, each request by itself; and a
day of 200 instances of four services with 1,000 batch jobs on 1,024 GPUs, in ticks of a second. The hour needs
../shared; the day is made up, with the rhythm of a day: `--hours` shortens it.
"""

from __future__ import annotations

import argparse
import random
import tempfile
from pathlib import Path
from typing import Any

from measured import GOODWATT, SHARED, loop_s, measure, report

AZURE = SHARED / "data" / "llm_request_traces" / "AzureLLMInferenceTrace_conv.csv.gz"
HOUR = """
services:
  - {name: chat, model: llama-3.1-70b, gpu: H100-SXM, tensor_parallel: 4, replicas: 8,
     promise: {ttft_p99_s: 1.0, tpot_p99_s: 0.05}, requests: REQUESTS}
"""
DAY = """
services:
  - {name: chat, model: llama-3.1-70b, gpu: H100-SXM, tensor_parallel: 4, replicas: 70,
     promise: {ttft_p99_s: 1.0, tpot_p99_s: 0.05}, requests: {class: chat, mean_per_s: 21, seed: 1}}
  - {name: small, model: llama-3.1-8b, gpu: H100-SXM, tensor_parallel: 1, replicas: 60,
     promise: {ttft_p99_s: 1.0, tpot_p99_s: 0.05}, requests: {class: chat, mean_per_s: 21, seed: 2}}
  - {name: pairs, model: llama-3.1-70b, gpu: H100-SXM, tensor_parallel: 2, replicas: 30,
     promise: {ttft_p99_s: 2.0, tpot_p99_s: 0.1}, requests: {class: chat, mean_per_s: 6, seed: 3}}
  - {name: more, model: llama-3.1-8b, gpu: H100-SXM, tensor_parallel: 1, replicas: 40,
     promise: {ttft_p99_s: 1.0, tpot_p99_s: 0.05}, requests: {class: chat, mean_per_s: 12, seed: 4}}
"""
JOBS = 1000
DAY_S = 86_400.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=24.0)
    hours = parser.parse_args().hours
    with tempfile.TemporaryDirectory() as scratch:
        rows = [*_hour(Path(scratch)), _day(Path(scratch), hours)]
    report("serving_speed", "Services: CPU seconds, memory, and the ratio to the fixed loop", rows)


def _hour(scratch: Path) -> list[dict[str, Any]]:
    if not AZURE.exists():
        return []
    services = scratch / "hour.yaml"
    services.write_text(HOUR.replace("REQUESTS", str(AZURE)), encoding="utf-8")
    command = [*_replay(services, "generated:gpus=32,gpu=H100-SXM,per_node=8", scratch), "--resolution", "requests"]
    return [_row("Azure conversation hour on 8 instances, by request", command)]


def _day(scratch: Path, hours: float) -> dict[str, Any]:
    services, jobs = scratch / "day.yaml", scratch / "jobs.csv"
    services.write_text(DAY, encoding="utf-8")
    rng, end_s = random.Random(1), hours * 3600.0
    lines = ["job_id,submit_s,num_gpus,duration_s"]
    for number in range(round(JOBS * end_s / DAY_S)):
        size, length_s = rng.choice([1, 1, 2, 4, 8]), rng.uniform(600.0, 20_000.0)
        lines.append(f"j{number},{number * DAY_S / JOBS:.0f},{size},{length_s:.0f}")
    jobs.write_text("\n".join(lines) + "\n", encoding="utf-8")
    command = _replay(services, "generated:gpus=1024,gpu=H100-SXM,per_node=8", scratch, str(jobs))
    return _row(
        f"{hours:g} hours of 200 instances and 1,000 jobs a day, in ticks", [*command, "--horizon", f"{end_s:g}"]
    )


def _replay(services: Path, cluster: str, scratch: Path, *trace: str) -> list[str]:
    where = ("--cluster", cluster, "--policy", "fifo", "--services", str(services))
    return [GOODWATT, "replay", *trace, *where, "--out", str(scratch / "out"), "--no-report"]


def _row(what: str, command: list[str]) -> dict[str, Any]:
    loop, run = loop_s(), measure(command)
    if run.status:
        raise SystemExit(f"{' '.join(command)}: exit status {run.status}")
    return {"run": what, "cpu_s": run.cpu_s, "loop_ratio": run.cpu_s / loop, "peak_mib": run.peak_mib}


if __name__ == "__main__":
    main()
