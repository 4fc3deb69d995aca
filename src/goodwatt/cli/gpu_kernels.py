"""The kernels that `goodwatt calibrate` loads a GPU with, run in a process of their own through torch or cupy.

`python -m goodwatt.cli.gpu_kernels BACKEND` answers one line on stdin with lines on stdout: `run NAME` with
`running` and then `count SECONDS ITERATIONS` as they finish, `stop` with `stopped`; what fails is said as
`error TEXT`. A process of its own, because a context on the GPU costs watts that an idle measurement must not see.
"""

from __future__ import annotations

import importlib
import os
import select
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

Work = Callable[[], object]
"""Puts one iteration on the GPU without waiting for it."""

Builders = Mapping[str, Callable[[Any], Work]]
BACKENDS = ("torch", "cupy")
WORKS = ("gemm", "copy", "copy_weights", "gemv", "small", "attention")
"""Compute bound; memory bound, of zeros and of weights, which draw more at the same rate; LLM decode; launch bound; LLM
prefill (torch only). All but the copy of zeros work on weights, as jobs do."""

CHUNK_S = 0.02


def _torch_gemm(torch: Any) -> Work:
    left, right, out = (torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16) for _ in range(3))
    return lambda: torch.mm(left, right, out=out)


def _torch_copy(torch: Any) -> Work:
    return _torch_copied(torch, torch.zeros(2**30, device="cuda", dtype=torch.bfloat16))


def _torch_copy_weights(torch: Any) -> Work:
    return _torch_copied(torch, torch.randn(2**30, device="cuda", dtype=torch.bfloat16))


def _torch_copied(torch: Any, source: Any) -> Work:
    target = torch.empty_like(source)
    return lambda: target.copy_(source)


def _torch_gemv(torch: Any) -> Work:
    weights = [torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16) for _ in range(16)]
    batch = torch.randn(8, 8192, device="cuda", dtype=torch.bfloat16)
    return lambda: [torch.mm(batch, weight) for weight in weights]


def _torch_small(torch: Any) -> Work:
    layers = [torch.nn.Linear(256, 256, device="cuda") for _ in range(8)]
    network = torch.nn.Sequential(*(part for layer in layers for part in (layer, torch.nn.ReLU())))
    batch = torch.randn(64, 256, device="cuda")
    work: Work = torch.no_grad()(lambda: network(batch))
    return work


def _torch_attention(torch: Any) -> Work:
    query, key, value = (torch.randn(4, 32, 4096, 128, device="cuda", dtype=torch.bfloat16) for _ in range(3))
    attend = torch.nn.functional.scaled_dot_product_attention
    return lambda: attend(query, key, value, is_causal=True)


def _cupy_gemm(cupy: Any) -> Work:
    left, right = (cupy.random.standard_normal((8192, 8192), dtype=cupy.float32).astype(cupy.float16) for _ in "lr")
    out = cupy.empty_like(left)
    return lambda: cupy.matmul(left, right, out=out)


def _cupy_copy(cupy: Any) -> Work:
    return _cupy_copied(cupy, cupy.zeros(2**30, dtype=cupy.float16))


def _cupy_copy_weights(cupy: Any) -> Work:
    weights = cupy.empty(2**30, dtype=cupy.float16)
    for start in range(0, weights.size, 2**26):  # in pieces: they are drawn as float32
        weights[start : start + 2**26] = cupy.random.standard_normal(2**26, dtype=cupy.float32)
    return _cupy_copied(cupy, weights)


def _cupy_copied(cupy: Any, source: Any) -> Work:
    target = cupy.empty_like(source)
    return lambda: cupy.copyto(target, source)


def _cupy_gemv(cupy: Any) -> Work:
    weights = [cupy.random.standard_normal((8192, 8192), dtype=cupy.float32).astype(cupy.float16) for _ in range(16)]
    batch = cupy.ones((8, 8192), dtype=cupy.float16)
    return lambda: [batch @ weight for weight in weights]


def _cupy_small(cupy: Any) -> Work:
    weights = [cupy.random.standard_normal((256, 256), dtype=cupy.float32) * 0.1 for _ in range(8)]

    def forward() -> Any:
        batch = cupy.ones((64, 256), dtype=cupy.float32)
        for weight in weights:
            batch = cupy.maximum(batch @ weight, 0)
        return batch

    return forward


BUILDERS: Mapping[str, Builders] = {
    "torch": {
        "gemm": _torch_gemm,
        "copy": _torch_copy,
        "copy_weights": _torch_copy_weights,
        "gemv": _torch_gemv,
        "small": _torch_small,
        "attention": _torch_attention,
    },
    "cupy": {
        "gemm": _cupy_gemm,
        "copy": _cupy_copy,
        "copy_weights": _cupy_copy_weights,
        "gemv": _cupy_gemv,
        "small": _cupy_small,
    },
}


class Runner:
    """Keeps two chunks of iterations on the GPU and counts the finished ones, until a line comes on stdin."""

    def __init__(self, backend: str, builders: Builders) -> None:
        self.module = importlib.import_module(backend)
        self._is_torch, self._builders = backend == "torch", builders
        self._built = dict[str, Work]()
        self._pending = b""

    def serve(self) -> None:
        """Answer lines until stdin ends."""
        self._synchronise()
        _say("ready")
        while command := self._line(wait=True):
            if command.startswith("run "):
                try:
                    self._run(command[4:])
                except Exception as error:  # whatever CUDA reports is the parent's to judge
                    _say(f"error {type(error).__name__}: {' '.join(str(error).split())[:300]}")
            elif command == "stop":
                _say("stopped")

    def _run(self, name: str) -> None:
        if name not in self._built:
            self._built[name] = self._builders[name](self.module)
        work = self._built[name]
        for _ in range(3):
            work()
        self._synchronise()
        _say("running")
        self._loop(work)
        self._synchronise()
        _say("stopped")

    def _loop(self, work: Work) -> None:
        """Chunks double or halve until one takes about CHUNK_S; the next is queued before the last is awaited."""
        size, done, waiting = 1, 0, list[tuple[Any, int]]()
        last_s = time.monotonic()
        while self._line(wait=False) != "stop":
            for _ in range(size):
                work()
            waiting.append((self._mark(), size))
            if len(waiting) < 2:
                continue
            mark, finished = waiting.pop(0)
            mark.synchronize()
            done += finished
            now_s = time.monotonic()
            _say(f"count {now_s:.6f} {done}")
            took_s, last_s = now_s - last_s, now_s
            size = size * 2 if took_s < CHUNK_S / 2 else max(1, size // 2) if took_s > 2 * CHUNK_S else size

    def _mark(self) -> Any:
        event = self.module.cuda.Event()
        event.record()
        return event

    def _synchronise(self) -> None:
        if self._is_torch:
            self.module.cuda.init()
            self.module.cuda.synchronize()
        else:
            self.module.cuda.Stream.null.synchronize()

    def _line(self, wait: bool) -> str:
        """The next whole line of stdin; "" at its end, or at once if there is none and nobody waits for it."""
        while b"\n" not in self._pending:
            if not wait and not select.select([0], [], [], 0)[0]:
                return ""
            more = os.read(0, 4096)
            if not more:
                return "" if wait else "stop"
            self._pending += more
        line, self._pending = self._pending.split(b"\n", 1)
        return line.decode().strip()


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    Runner(sys.argv[1], BUILDERS[sys.argv[1]]).serve()
