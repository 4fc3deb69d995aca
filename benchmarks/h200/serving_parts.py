"""What `serving` measures, part by part, as data: cycles of iterations, how long to watch, what runs beside them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace

WORKS = ("resnet50_train", "bert_train", "gemm")
THREADS = (100, 50, 25)
LATER = (90, 75)
CHUNK, PERIODS_S, SHARES = 2048, (0.5, 5.0), (0.1, 0.3, 0.6)


@dataclass(frozen=True, slots=True)
class Entry:
    """`repeat` iterations of one kind; with `all_reduce` only so many sums over that many tokens, `times` of them."""

    kind: str
    chunk: int = 0
    earlier: int = 0
    batch: int = 0
    context: int = 0
    repeat: int = 1
    all_reduce: int = 0
    times: int = 0


@dataclass(frozen=True, slots=True)
class Cycle:
    """Entries over and over: `on_s` of them, then `off_s` of nothing. `ahead`: the host queues the next iterations
    before the last is done. `count`: stop after so many iterations (ranks have to agree)."""

    model: str
    entries: tuple[Entry, ...]
    graph: bool = True
    ahead: bool = True
    on_s: float = 0.0
    off_s: float = 0.0
    count: int = 0
    decode: str = "split"
    prefill: str = "flash"

    def text(self) -> str:
        """The line for `serving_worker`."""
        return json.dumps({**asdict(self), "cycle": [_entry(entry) for entry in self.entries]})


@dataclass(frozen=True, slots=True)
class Row:
    """One measurement. `beside`: the batch job, under MPS with `threads` per cent of the threads (0: no MPS); without a
    cycle the batch job is alone. `trace`: keep watts and clock over time too."""

    part: str
    name: str
    cycle: Cycle | None
    window_s: float = 2.0
    beside: str = ""
    threads: int = 0
    trace: bool = False
    ranks: int = 1

    def key(self) -> tuple[str, str, str, int]:
        """By which a row already measured is known."""
        return self.part, self.name, self.beside, self.threads


def decode(model: str, batch: int, context: int) -> Cycle:
    """One token for each of `batch` sequences."""
    return Cycle(model, (Entry("decode", batch=batch, context=context),))


def prefill(model: str, chunk: int, earlier: int = 0) -> Cycle:
    """`chunk` tokens of one prompt."""
    return Cycle(model, (Entry("prefill", chunk=chunk, earlier=earlier),))


def mixed(model: str, chunk: int, batch: int, context: int) -> Cycle:
    """Both in one forward pass."""
    return Cycle(model, (Entry("mixed", chunk=chunk, batch=batch, context=context),))


def named(part: str, cycle: Cycle) -> Row:
    """A row whose name says what its only entry is."""
    e = cycle.entries[0]
    name = f"{cycle.model} {e.kind}" + (f" {e.chunk}" if e.chunk else "") + (f" after {e.earlier}" if e.earlier else "")
    return Row(part, name + (f" batch {e.batch} context {e.context}" if e.batch else ""), cycle)


def decodes() -> list[Row]:
    """a: where the cache fits (8b: 70 GB, 30b: 55 GB)."""
    grid = [(b, c) for c in (512, 1024, 2048, 8192) for b in (1, 4, 16, 64, 128, 256)]
    small = [
        named("decode", decode("8b", b, c)) for b, c in grid if b * c <= 2**19 and (c != 1024 or b in (16, 64, 128))
    ]
    return small + [named("decode", decode("30b", b, c)) for b, c in grid if b * c <= 2**15 and c != 1024]


def hosted() -> list[Row]:
    """The same without graphs, and with a host that waits for every iteration."""
    rows = list[Row]()
    for cycle in (decode("8b", 16, 512), prefill("8b", 128), prefill("8b", 1024)):
        row = named("host", cycle)
        rows += [
            replace(row, name=row.name + " eager", cycle=replace(cycle, graph=False)),
            replace(row, name=row.name + " eager, awaited", cycle=replace(cycle, graph=False, ahead=False)),
            replace(row, name=row.name + " graph, awaited", cycle=replace(cycle, ahead=False)),
        ]
    return rows


def prefills() -> list[Row]:
    """b: without and with earlier context."""
    small = [prefill("8b", n) for n in (128, 256, 512, 1024, 2048, 4096, 8192)]
    small += [prefill("8b", n, 4096) for n in (256, 512, 1024, 2048, 4096)] + [prefill("8b", 1024, 2048)]
    large = [prefill("30b", n) for n in (128, 512, 2048, 8192)] + [prefill("30b", 1024, 4096)]
    return [named("prefill", cycle) for cycle in small + large]


def mixes() -> list[Row]:
    """c: one forward pass over a chunk and a batch."""
    small = [mixed("8b", n, b, 1024) for n in (256, 512, 1024, 2048) for b in (16, 64, 128)]
    return [named("mixed", cycle) for cycle in [*small, mixed("30b", 512, 16, 1024), mixed("30b", 2048, 16, 1024)]]


def alternations() -> list[Row]:
    """d: a prefill, then so many decodes; of a batch that reaches the cap by itself, and of one far below it."""
    rows = list[Row]()
    for batch, context in ((64, 1024), (16, 512)):
        for repeat in (5, 20, 80):
            decoding = Entry("decode", batch=batch, context=context, repeat=repeat)
            name = f"8b prefill {CHUNK}, then {repeat} decode batch {batch} context {context}"
            cycle = Cycle("8b", (Entry("prefill", chunk=CHUNK), decoding))
            rows.append(Row("alternation", name, cycle, window_s=4.0, trace=True))
    return rows


def bursts() -> list[Row]:
    """d: iterations too short for the power cap to bite, with pauses: what they take at the greatest clock."""
    cycles = [prefill("8b", 512), prefill("8b", CHUNK), mixed("8b", 512, 64, 1024)]
    cycles += [decode("8b", b, c) for b, c in ((64, 2048), (128, 1024), (256, 512))]
    short = [replace(cycle, ahead=False, on_s=0.03, off_s=0.27) for cycle in cycles]
    return [replace(row, name=f"{row.name}, 0.03 of 0.3 s") for row in (named("bursts", cycle) for cycle in short)]


def gaps() -> list[Row]:
    """e: decoding for a share of a period, over whole periods."""
    rows = list[Row]()
    for period_s in PERIODS_S:
        for share in SHARES:
            on_s = share * period_s
            cycle = replace(decode("8b", 64, 1024), on_s=on_s, off_s=period_s - on_s)
            name = f"8b decode batch 64 context 1024, {share:g} of {period_s:g} s"
            rows.append(Row("gaps", name, cycle, window_s=max(4.0, 2 * period_s), trace=period_s > 1))
    return rows


def instances() -> list[Row]:
    """What runs beside batch jobs."""
    return [
        named("beside", decode("8b", 64, 2048)),
        named("beside", decode("8b", 16, 2048)),
        named("beside", prefill("8b", CHUNK)),
        Row(
            "beside",
            "8b decode batch 16 context 2048, 0.3 of 0.5 s",
            replace(decode("8b", 16, 2048), on_s=0.15, off_s=0.35),
        ),
        Row(
            "beside",
            "8b decode batch 64 context 2048, 0.3 of 0.5 s",
            replace(decode("8b", 64, 2048), on_s=0.15, off_s=0.35),
        ),
    ]


def besides() -> list[Row]:
    """f: alone under MPS, then each beside each batch job at each percentage."""
    rows = [*instances(), *(Row("beside", "", None, beside=w, threads=t) for w in WORKS for t in THREADS)]
    return rows + [replace(row, beside=w, threads=t) for row in instances() for w in WORKS for t in THREADS]


def later() -> list[Row]:
    """f: the same at other percentages, measured when the law of such limits had been made."""
    return [replace(row, part="later", beside=w, threads=t) for row in instances() for w in WORKS for t in LATER]


def first() -> list[Row]:
    """f: the same with the batch job at the lower of the two priorities of MPS."""
    rows = [replace(row, beside=w, threads=t) for row in instances()[:3] for w in WORKS for t in THREADS[:2]]
    return [replace(row, part="first") for row in rows]


def ranked() -> list[Row]:
    """g: the larger model over two GPUs, and its sums alone: two a layer."""
    cycles = [decode("30b", b, c) for b, c in ((1, 512), (16, 512), (64, 512), (16, 2048), (32, 2048))]
    cycles += [prefill("30b", n) for n in (128, 512, 2048, 8192)] + [mixed("30b", 512, 16, 1024)]
    rows = [named("ranks", cycle) for cycle in cycles]
    for tokens in (1, 16, 64, 128, 512, 2048, 8192):
        sums = Cycle("30b", (Entry("all-reduce", all_reduce=tokens, times=120),))
        rows.append(Row("ranks", f"30b 120 all-reduces of {tokens} tokens", sums))
    return [replace(row, name=row.name + ", 2 GPUs", ranks=2) for row in rows]


def smoke() -> list[Row]:
    """A look at every sort of work, and at the kernels there are to choose from."""
    some = [decode("8b", 64, 2048), decode("8b", 1, 8192), decode("8b", 256, 512)]
    rows = [named("smoke", cycle) for cycle in (*some, mixed("8b", 512, 64, 1024), prefill("8b", 1024, 4096))]
    for cycle in (*some, prefill("8b", 2048), prefill("8b", 8192)):
        row, is_decode = named("smoke", cycle), cycle in some
        other = replace(cycle, decode="plain") if is_decode else replace(cycle, prefill="cudnn")
        rows += [replace(row, name=f"{row.name} {'plain' if is_decode else 'cudnn'}", cycle=other)]
        rows += [] if is_decode else [row]
    return [replace(row, window_s=0.4) for row in rows]


def again() -> list[Row]:
    """Rows measured a second time at the end: the spread from run to run."""
    cycles = (decode("8b", 64, 1024), prefill("8b", CHUNK), mixed("8b", 512, 64, 1024))
    return [named("again", cycle) for cycle in cycles]


PARTS: dict[str, Callable[[], list[Row]]] = {
    "smoke": smoke,
    "decode": decodes,
    "prefill": prefills,
    "mixed": mixes,
    "alternation": alternations,
    "bursts": bursts,
    "gaps": gaps,
    "host": hosted,
    "again": again,
    "beside": besides,
    "later": later,
    "first": first,
    "ranks": ranked,
}


def planned(parts: list[str]) -> list[Row]:
    """Their rows, those of the smaller model first: the larger one is built once."""
    rows = [row for part in parts for row in PARTS[part]()]
    return sorted(rows, key=lambda row: row.cycle is not None and row.cycle.model == "30b")


def _entry(entry: Entry) -> dict[str, object]:
    values = asdict(entry)
    kept = {name: values[name] for name in ("kind", "repeat")}
    if entry.all_reduce:
        return kept | {"all_reduce": entry.all_reduce, "times": entry.times}
    return kept | {"tokens": {name: values[name] for name in ("chunk", "earlier", "batch", "context")}}
