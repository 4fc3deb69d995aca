"""A small cluster with a service, in files as a person has them."""

from __future__ import annotations

from tests.cli.command import Command, Outcome

SERVICES = """\
services:
  - name: chat
    model: {parameters_b: 8.03, layers: 32, hidden: 4096, kv_heads: 8}
    gpu: H100-SXM
    replicas: {min: 1, max: 2, start_s: 30}
    promise: {ttft_p99_s: 1.0, tpot_p99_s: 0.05}
    requests: {file: asked.csv}
"""
ENDLESS = SERVICES.replace("{file: asked.csv}", "{class: chat, mean_per_s: 2}")
CLUSTER = """\
name: small
nodes:
  - {count: 2, gpu: H100-SXM, gpus: 4}
power: {pue: 1.2, host_idle_w: 1000, host_max_w: 2200}
"""
JOBS = """\
job_id,submit_s,num_gpus,duration_s,user
a,0,4,100,ann
b,5,2,60,bob
c,10,1,60,ann
"""
REQUESTS = 240


def asked() -> str:
    """A request every two seconds for eight minutes."""
    rows = (f"{2 * number},{200 + number % 7 * 100},{20 + number % 5 * 10}" for number in range(REQUESTS))
    return "\n".join(["arrival_s,prompt_tokens,output_tokens", *rows, ""])


def prepare(goodwatt: Command, services: str = SERVICES) -> None:
    """The files in the folder of a command."""
    files = {"services.yaml": services, "served.yaml": CLUSTER, "some.csv": JOBS, "asked.csv": asked()}
    for name, text in files.items():
        goodwatt.write(name, text)


def replay(goodwatt: Command, *arguments: object, services: str = SERVICES, out: str = "out") -> Outcome:
    """Services, and what else the arguments say, on the small cluster."""
    prepare(goodwatt, services)
    return goodwatt(
        "replay", *arguments, "--services", "services.yaml", "-c", "served.yaml", "-p", "fifo", "--out", out
    )
