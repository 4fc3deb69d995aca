"""What an out-of-memory error, a killed client and a fatal fault do to the neighbours on one GPU, with and without MPS.

Three clients (`fault_client.cu`) run short kernels; after two seconds something happens to one of them. A fourth
client comes at once and tries again until it computes. Reads nothing of the GPU's settings and changes none.

    PYTHONPATH=src:benchmarks python -m h200.faults OUT.json [--only "NAME;NAME"] [--repeat 3] [--modes mps]
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import signal
import statistics
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from h200.mps import Mps

HERE = Path(__file__).parent
AT_S, FOR_S = 2.0, 5.0


@dataclass(frozen=True)
class Scenario:
    """What happens to the first of three clients, and with what environment it starts."""

    name: str
    action: str = "none"
    signal: int | None = None
    """Sent to the first client by the parent, 0.3 s after its action began, after `command` if there is one."""
    linger_s: float = 0.0
    """How long a client that met an error stays before it exits."""
    environment: Mapping[str, str] = field(default_factory=dict)
    mps_only: bool = False
    command: str = ""
    """Given to the MPS control daemon; {server} and {client} are filled in."""
    kill_server: bool = False
    threads: int | None = None


SCENARIOS = (
    Scenario("nothing"),
    Scenario("asks for more memory than is free", "oom"),
    Scenario("takes all memory", "grab"),
    Scenario("SIGKILL between short kernels", signal=signal.SIGKILL),
    Scenario("SIGKILL during a kernel of 3 s", "long", signal=signal.SIGKILL),
    Scenario("SIGTERM between short kernels", signal=signal.SIGTERM),
    Scenario("SIGTERM during a kernel of 3 s", "long", signal=signal.SIGTERM),
    Scenario("SIGINT during a kernel of 3 s", "long", signal=signal.SIGINT),
    Scenario("leaves by _exit between its kernels", "exit"),
    Scenario("illegal address, the others leave at once", "illegal"),
    Scenario("illegal address, the others stay 4 s", "illegal", linger_s=4.0),
    Scenario("illegal address, each at 30% of the threads", "illegal", threads=30, mps_only=True),
    Scenario("device-side assert", "assert"),
    Scenario("trap instruction", "trap"),
    Scenario("memory limit of 2 GiB, asks for 4 GiB", "big", environment={"CUDA_MPS_PINNED_DEVICE_MEM_LIMIT": "0=2G"},
             mps_only=True),
    Scenario("terminate_client by the control daemon", command="terminate_client {server} {client}", mps_only=True),
    Scenario("SIGKILL while it computes nothing", "rest", signal=signal.SIGKILL),
    Scenario("SIGTERM, it finishes its kernels first", "drain", signal=signal.SIGTERM),
    Scenario(
        "terminate_client during a kernel of 3 s", "long", command="terminate_client {server} {client}", mps_only=True
    ),
    Scenario(
        "terminate_client, then SIGKILL, during a kernel of 3 s",
        "long",
        signal=signal.SIGKILL,
        command="terminate_client {server} {client}",
        mps_only=True,
    ),
    Scenario(
        "SIGKILL during a kernel of 3 s, each at 30% of the threads",
        "long",
        signal=signal.SIGKILL,
        threads=30,
        mps_only=True,
    ),
    Scenario("SIGKILL of the MPS server", kill_server=True, mps_only=True),
)  # fmt: skip


class Client:
    """A running fault_client whose lines go to a file."""

    def __init__(self, binary: Path, scratch: Path, words: tuple[str, ...], environment: Mapping[str, str]) -> None:
        self.path = Path(tempfile.mkstemp(dir=scratch, suffix=".jsonl")[1])
        self.born_s = time.monotonic()
        with self.path.open("wb") as out, self.path.with_suffix(".err").open("wb") as err:
            self.process = subprocess.Popen(
                [str(binary), *words], stdout=out, stderr=err, env={**os.environ, **environment}
            )

    def events(self) -> list[dict[str, Any]]:
        """Every whole line so far."""
        lines = self.path.read_text(encoding="utf-8").splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.endswith("\n")]

    def wait_for(self, event: str, limit_s: float) -> bool:
        """Whether the event came within the limit; ends early with the process."""
        end = time.monotonic() + limit_s
        while time.monotonic() < end:
            if any(e["event"] == event for e in self.events()):
                return True
            if self.process.poll() is not None:
                return any(e["event"] == event for e in self.events())
            time.sleep(0.005)
        return False

    def stop(self, limit_s: float) -> str:
        """How it ended; killed if it does not end within the limit."""
        try:
            return str(self.process.wait(limit_s))
        except subprocess.TimeoutExpired:
            self.process.kill()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(10)
                return f"did not end within {limit_s:g} s, killed"
            return f"did not end within {limit_s:g} s, nor after SIGKILL"


def run(scenario: Scenario, binary: Path, mps: Mps | None, scratch: Path) -> dict[str, Any]:
    """One scenario from the start of its clients to the end of the last."""
    environment = mps.environment(scenario.threads) if mps else {}
    words = (str(AT_S), str(FOR_S), str(scenario.linger_s))
    first = Client(binary, scratch, (scenario.action, *words), {**environment, **scenario.environment})
    others = [Client(binary, scratch, ("none", *words), environment) for _ in range(2)]
    for client in (first, *others):
        client.wait_for("first_kernel", 20)
    servers = mps.servers() if mps else []
    acted_s = _act(scenario, first, mps, servers)
    late = _late_client(binary, scratch, environment)
    ends = [client.stop(20) for client in (first, *others)]
    return {
        "scenario": scenario.name,
        "mode": "mps" if mps else "time-slicing",
        "client": _seen(first, acted_s) | {"end": ends[0]},
        "neighbours": [_seen(c, acted_s) | {"end": end} for c, end in zip(others, ends[1:], strict=True)],
        "late_client": late,
        "servers": [servers, mps.servers() if mps else []],
    }


def _act(scenario: Scenario, first: Client, mps: Mps | None, servers: list[int]) -> float:
    """Wait for the action or do it; the moment of CLOCK_MONOTONIC when it happened."""
    if scenario.action != "none":
        first.wait_for("act", 20)
    else:
        time.sleep(AT_S)
    acted_s = next((e["t"] for e in first.events() if e["event"] == "act"), time.monotonic())
    if scenario.action != "none" and (scenario.signal or scenario.command):
        time.sleep(0.3)
    if mps and scenario.command:
        acted_s = time.monotonic()
        answer = mps.say(scenario.command.format(server=servers[0], client=first.process.pid))
        print("   control daemon:", answer or "(no answer)", f"after {time.monotonic() - acted_s:.2f} s")
    if scenario.signal is not None:
        acted_s = time.monotonic()
        first.process.send_signal(scenario.signal)
    if scenario.kill_server:
        acted_s = time.monotonic()
        os.kill(servers[0], signal.SIGKILL)
    return acted_s


def _late_client(binary: Path, scratch: Path, environment: Mapping[str, str]) -> dict[str, Any]:
    """Start clients until one has computed: how often, how long, and what the failed ones saw."""
    begin, errors = time.monotonic(), list[str]()
    for attempt in range(1, 41):
        client = Client(binary, scratch, ("none", "9", "0.3", "0"), environment)
        computed = client.wait_for("first_kernel", 15) and not any(e["error"] for e in client.events())
        if computed:
            first = next(e for e in client.events() if e["event"] == "first_kernel")
            return {"attempts": attempt, "s": first["t"] - begin, "own_s": first["value"], "errors": errors}
        errors += [e["error"] for e in client.events() if e["error"]] or [f"exit {client.stop(0.1)}"]
        client.stop(0.5)
        if time.monotonic() - begin > 25:
            break
        time.sleep(0.1)
    return {"attempts": attempt, "s": None, "own_s": None, "errors": errors}


def _seen(client: Client, acted_s: float) -> dict[str, Any]:
    """What a client saw: its rate before and after, its longest pause afterwards, its errors."""
    ticks = [(e["t"], e["value"]) for e in client.events() if e["event"] == "tick"]
    before = [tick for tick in ticks if acted_s - 1.5 < tick[0] < acted_s]
    after = [tick for tick in ticks if acted_s + 0.5 < tick[0] < acted_s + 2.5]
    around = [e["t"] for e in client.events() if e["t"] > acted_s - 0.3]
    gaps = [b - a for a, b in itertools.pairwise(around)]
    errors = [e for e in client.events() if e["error"]]
    others = [
        e for e in client.events() if e["event"] not in {"tick", "context", "first_kernel", "act"} and not e["error"]
    ]
    return {
        "rate_before": _rate(before),
        "rate_after": _rate(after),
        "usual_gap_s": statistics.median(gaps) if gaps else None,
        "longest_gap_s": max(gaps, default=None),
        "errors": [{"event": e["event"], "error": e["error"], "after_s": e["t"] - acted_s} for e in errors],
        "said": [{"event": e["event"], "value": e["value"], "after_s": e["t"] - acted_s} for e in others],
    }


def _rate(ticks: list[tuple[float, float]]) -> float | None:
    return (ticks[-1][1] - ticks[0][1]) / (ticks[-1][0] - ticks[0][0]) if len(ticks) > 2 else None


def build(scratch: Path) -> Path:
    """Compile the client with the machine's own nvcc."""
    binary = scratch / "fault_client"
    subprocess.run(["nvcc", "-arch=native", "-O2", "-o", str(binary), str(HERE / "fault_client.cu")], check=True)
    return binary


def line(row: Mapping[str, Any]) -> str:
    """One row for the terminal."""
    late = row["late_client"]
    neighbours = "; ".join(
        f"{n['rate_before'] or 0:.0f}->{n['rate_after'] or 0:.0f}/s gap {n['longest_gap_s'] or 0:.2f} s "
        + ",".join(f"{e['error']}@{e['after_s']:.2f}" for e in n["errors"]) + f" end {n['end']}"
        for n in row["neighbours"]
    )  # fmt: skip
    own = ",".join(f"{e['event']}:{e['error']}@{e['after_s']:.2f}" for e in row["client"]["errors"])
    return (
        f"{row['mode']:12} {row['scenario']:45} own [{own} end {row['client']['end']}] others [{neighbours}] "
        f"late {late['attempts']}x {late['s'] or -1:.2f} s {sorted(set(late['errors']))} servers {row['servers']}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--only", default="", help="names of scenarios, separated by semicolons")
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--modes", default="mps,time-slicing")
    options = parser.parse_args()
    scratch = Path(tempfile.mkdtemp(prefix="faults"))
    binary, rows = build(scratch), list[dict[str, Any]]()
    chosen = [s for s in SCENARIOS if not options.only or s.name in options.only.split(";")]
    for under_mps in (name == "mps" for name in options.modes.split(",")):
        for scenario in chosen * options.repeat:
            if scenario.mps_only and not under_mps:
                continue
            with Mps() if under_mps else contextlib.nullcontext() as mps:
                row = run(scenario, binary, mps, scratch) | {"plan": asdict(scenario)}
                row |= {"log": mps.log()[-3000:] if mps else ""}
            rows.append(row)
            print(line(row), flush=True)
            options.out.write_text(json.dumps(rows, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
