"""The process that stands for one serving instance (or one rank of it), or for the batch job beside it.

Speaks what `goodwatt.cli.gpu_kernels` speaks; what it runs is one of its kernels, of `worker`'s applications, or a JSON
line as `serving_parts.Cycle.text` writes it. When it stops, the start and the milliseconds of every iteration lie in
the file named on its command line.

    python serving_worker.py TIMES.json
"""

from __future__ import annotations

import itertools
import json
import os
import sys
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from h200.serving_model import SHAPES, Decoder, Step, Tokens
from h200.worker import APPLICATIONS

from goodwatt.cli.gpu_kernels import BUILDERS, Runner, Work

AHEAD = 2
"""Iterations on the GPU's queue beyond the running one: the host is then never in the way of a graph."""
SAY_S = 0.02


def bert_train(torch: Any) -> Work:
    """An encoder of 12 layers, 768 wide, with 30,522 words; batch 64 of 128 tokens, bf16 autocast, AdamW."""
    layer = torch.nn.TransformerEncoderLayer(768, 12, 3072, batch_first=True, activation="gelu")
    network = torch.nn.TransformerEncoder(layer, 12, enable_nested_tensor=False).cuda()
    words = torch.nn.Embedding(30522, 768).cuda()
    parameters = [*network.parameters(), *words.parameters()]
    optimiser = torch.optim.AdamW(parameters, lr=1e-5, fused=True)
    ids = torch.randint(0, 30522, (64, 128), device="cuda")

    def step() -> None:
        with torch.autocast("cuda", dtype=torch.bfloat16):
            logits = torch.nn.functional.linear(network(words(ids)), words.weight)
            loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), ids.flatten())
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()

    return step


class ServingRunner(Runner):
    """A Runner that also runs cycles of serving iterations, with gaps, and times each."""

    def __init__(self, times: Path) -> None:
        super().__init__("torch", {**BUILDERS["torch"], **APPLICATIONS, "bert_train": bert_train})
        self._times_path = times
        self._decoder: Decoder | None = None
        self._key: tuple[object, ...] = ()

    def _run(self, name: str) -> None:
        if not name.startswith("{"):
            super()._run(name)
            return
        work = json.loads(name)
        cycle = self._cycle(work)
        for _, step in {id(step): (kind, step) for kind, step in cycle}.values():
            for _ in range(2):
                step()
        self._synchronise()
        print("running", flush=True)
        timed = Timed(self, cycle, work)
        timed.loop()
        self._synchronise()
        self._times_path.write_text(json.dumps(timed.times), encoding="utf-8")
        if work.get("count"):
            self._line(wait=True)
        print("stopped", flush=True)

    def _synchronise(self) -> None:
        if self.module.cuda.is_available():
            super()._synchronise()

    def stopping(self) -> bool:
        """Whether the line that ends the loop has come."""
        return self._line(wait=False) == "stop"

    def _cycle(self, work: dict[str, Any]) -> list[tuple[str, Step]]:
        decoder = self._with_decoder(work)
        tokens = [Tokens(**entry["tokens"]) for entry in work["cycle"] if "tokens" in entry]
        decoder.reserve(max((each.cached for each in tokens), default=0))
        cycle = list[tuple[str, Step]]()
        for entry in work["cycle"]:
            if "all_reduce" in entry:
                step = decoder.all_reduces(entry["all_reduce"], entry["times"])
            else:
                step = decoder.step(Tokens(**entry["tokens"]), work["graph"])
            cycle += [(entry["kind"], step)] * entry["repeat"]
        return cycle

    def _with_decoder(self, work: dict[str, Any]) -> Decoder:
        ranks = int(os.environ.get("WORLD_SIZE", "1"))
        key = (work["model"], ranks, work["decode"], work["prefill"])
        if self._decoder is None or self._key != key:
            self._decoder = None
            self._emptied()
            if ranks > 1 and not self.module.distributed.is_initialized():
                self.module.distributed.init_process_group("nccl", device_id=self.module.device("cuda", 0))
            self._decoder, self._key = Decoder(SHAPES[work["model"]], ranks, work["decode"], work["prefill"]), key
        self._emptied()
        return self._decoder

    def _emptied(self) -> None:
        if self.module.cuda.is_available():
            self.module.cuda.empty_cache()


class Timed:
    """The loop over a cycle, and `times`: kind, seconds of the monotonic clock at the start, milliseconds."""

    def __init__(self, runner: ServingRunner, cycle: list[tuple[str, Step]], work: dict[str, Any]) -> None:
        self._runner, self._cycle, self._count = runner, cycle, work.get("count") or 0
        self._on_s, self._off_s = work.get("on_s") or 0.0, work.get("off_s") or 0.0
        self._ahead = AHEAD if work["ahead"] else 0
        self._waiting, self._said_s = deque[tuple[str, Any, Any]](), 0.0
        self.times = list[tuple[str, float, float]]()
        self._base = self._mark()
        self._wait(self._base)
        self._base_s = time.monotonic()

    def loop(self) -> None:
        """Until told to stop, or until the count of iterations is full."""
        turns: Iterator[tuple[str, Step]] = itertools.cycle(self._cycle)
        burst_s = time.monotonic()
        for kind, step in itertools.islice(turns, self._count or None):
            if not self._count and self._runner.stopping():
                break
            if self._off_s and time.monotonic() - burst_s >= self._on_s and self._gap(burst_s):
                break
            if self._off_s and time.monotonic() - burst_s >= self._on_s + self._off_s:
                burst_s = time.monotonic()
            start = self._mark()
            step()
            self._waiting.append((kind, start, self._mark()))
            self._finish(self._ahead)
        self._finish(0)
        self._say()

    def _gap(self, burst_s: float) -> bool:
        """Be quiet until the next burst is due; whether it is time to stop altogether."""
        self._finish(0)
        self._say()
        while time.monotonic() < burst_s + self._on_s + self._off_s:
            if self._runner.stopping():
                return True
            time.sleep(0.002)
        self._say()
        return False

    def _finish(self, left: int) -> None:
        while len(self._waiting) > left:
            kind, start, end = self._waiting.popleft()
            self._wait(end)
            self.times.append((kind, self._base_s + self._between(self._base, start) / 1e3, self._between(start, end)))
        if time.monotonic() - self._said_s > SAY_S:
            self._say()

    def _say(self) -> None:
        self._said_s = time.monotonic()
        print(f"count {self._said_s:.6f} {len(self.times)}", flush=True)

    def _mark(self) -> Any:
        if not self._runner.module.cuda.is_available():
            return time.monotonic()
        event = self._runner.module.cuda.Event(enable_timing=True)
        event.record()
        return event

    def _wait(self, mark: Any) -> None:
        if not isinstance(mark, float):
            mark.synchronize()

    def _between(self, first: Any, second: Any) -> float:
        return (second - first) * 1e3 if isinstance(first, float) else float(first.elapsed_time(second))


if __name__ == "__main__":
    ServingRunner(Path(sys.argv[1])).serve()
