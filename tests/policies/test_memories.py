"""Parts of a policy that learn from the same telemetry learn it together, and each is still asked for itself."""

from __future__ import annotations

import json

import pytest

from goodwatt.cluster.job import JobRequest
from goodwatt.policies.memories import Memories, remembering
from goodwatt.policies.pair_memory import PairMemory
from goodwatt.policies.power_memory import PowerMemory
from goodwatt.power.telemetry.counters import Counters
from goodwatt.power.telemetry.estimator import Estimator
from goodwatt.simulator.jobs.job_run import JobRun
from goodwatt.simulator.policy import NoMemory
from tests.policies.power.powered_runs import powered
from tests.scenario import job

KIND = "V100-SXM2"
ONE, TWO = (job(name, 1, 0.0, 100.0) for name in ("one", "two"))
SEEN = Counters(sm_util=0.5, dram_bw=0.3, power_w=150.0)
BRIGHT = Counters(sm_util=0.9, dram_bw=0.1, power_w=250.0)


def told(memories: Memories) -> list[PowerMemory]:
    """Its learners after one job has been seen and has ended, and another has been seen."""
    memories.job_observed(JobRun(ONE, 0), KIND, SEEN, 60.0)
    memories.job_ended(ONE, 100.0, 100.0)
    memories.job_observed(JobRun(TWO, 1), KIND, BRIGHT, 160.0)
    return [memory for memory in memories.parts if isinstance(memory, PowerMemory)]


def beliefs(memory: PowerMemory, request: JobRequest) -> tuple[object, float]:
    return memory.demands.estimate(request, KIND), memory.durations.predict_s(request, 200.0)


def test_together_they_know_what_each_would_know_alone() -> None:
    (alone,) = told(Memories((PowerMemory(),)))
    for memory in told(Memories((NoMemory(), PairMemory(), PowerMemory()))):
        assert [beliefs(memory, one) for one in (ONE, TWO)] == [beliefs(alone, one) for one in (ONE, TWO)]
        assert memory.to_plain() == alone.to_plain()


def test_also_where_memories_stand_in_memories() -> None:
    inner = Memories((NoMemory(), PairMemory()))
    whole = Memories((inner, PowerMemory()))
    (second,) = told(whole)
    first = inner.parts[1]
    assert isinstance(first, PairMemory)
    assert second.demands is first.demands
    assert beliefs(second, TWO) == beliefs(first, TWO)


def test_a_copy_learns_for_itself() -> None:
    first = Memories((PowerMemory(), PowerMemory()))
    learners = told(first)
    before = [memory.to_plain() for memory in learners]
    twins = [memory for memory in first.copy().parts if isinstance(memory, PowerMemory)]
    assert [memory.to_plain() for memory in twins] == before
    assert twins[1].demands is twins[0].demands is not learners[0].demands
    twins[0].job_observed(JobRun(TWO, 1), KIND, SEEN, 260.0)
    assert [memory.to_plain() for memory in learners] == before


def deep() -> Memories:
    """Three learners, two of them in memories in memories."""
    return Memories((Memories((NoMemory(), PairMemory())), Memories((PowerMemory(), PowerMemory()))))


def learners_of(memories: Memories) -> list[PowerMemory]:
    return list(memories._learners())


def test_copies_and_saved_memories_go_on_learning_together_and_each_thing_once() -> None:
    alone, whole = Memories((PowerMemory(),)), deep()
    told(alone)
    told(whole)
    read = deep()
    read.load_plain(json.loads(json.dumps(whole.to_plain())))
    (expected,) = told(alone)
    for memories in (whole.copy(), whole.copy().copy(), read, read.copy(), whole):
        told(memories)
        assert len({id(learner.demands) for learner in learners_of(memories)}) == 1
        assert len({id(learner.durations) for learner in learners_of(memories)}) == 1
        for learner in learners_of(memories):
            assert learner.demands.to_plain() == expected.demands.to_plain()
            assert learner.durations.to_plain() == expected.durations.to_plain()


def test_what_is_learnt_together_is_copied_once(monkeypatch: pytest.MonkeyPatch) -> None:
    copies, copy = list[Estimator](), Estimator.copy

    def counted(estimator: Estimator) -> Estimator:
        copies.append(estimator)
        return copy(estimator)

    monkeypatch.setattr(Estimator, "copy", counted)
    whole = deep()
    twin = whole.copy()
    assert copies == [learners_of(whole)[0].demands]
    assert learners_of(twin)[0].demands is not learners_of(whole)[0].demands


def test_what_was_saved_is_read_by_both() -> None:
    plain = Memories((PowerMemory(), PowerMemory()))
    told(plain)
    read = Memories((PowerMemory(), PowerMemory()))
    read.load_plain(plain.to_plain())
    assert read.to_plain() == plain.to_plain()


def test_a_block_that_fails_gives_the_whole_memory_back() -> None:
    view = powered([ONE], "default").view
    whole = view.memory
    try:
        with remembering(view, NoMemory()):
            assert view.memory is not whole
            raise KeyError
    except KeyError:
        pass
    assert view.memory is whole
