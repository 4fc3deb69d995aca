"""What a job asks of the state when it is placed: its own request, a MIG instance, or another size of its gang."""

from __future__ import annotations

from dataclasses import replace

from goodwatt.cluster.job import WHOLE_GPU_MILLI, JobRequest
from goodwatt.cluster.mig_state import sliced_request
from goodwatt.cluster.state import DoesNotFitError
from goodwatt.simulator.decisions import Place
from goodwatt.simulator.jobs.elastic import elastic_range

MIG = "mig"


def request_of(job: JobRequest, place: Place) -> JobRequest:
    """The request with which `place` starts a job; DoesNotFitError if the job cannot be placed like that."""
    if place.sharing == MIG:
        return _in_instance(job, place.profile)
    if place.profile is not None:
        raise DoesNotFitError(f"a MIG profile goes with sharing {MIG}, got {place.sharing}")
    gpus = sum(count for _, count in place.nodes)
    if gpus == job.num_gpus or place.beside is not None:
        return job
    sizes = elastic_range(job)
    return resized_request(job, gpus) if sizes.least <= gpus <= sizes.most else job


def resized_request(job: JobRequest, gpus: int) -> JobRequest:
    """The request of an elastic job at a size; CPU and memory go with its GPUs, rounded up."""
    if gpus == job.num_gpus:
        return job
    cpu, memory = (-(-amount * gpus // job.num_gpus) for amount in (job.cpu_milli, job.memory_mib))
    return replace(job, num_gpus=gpus, cpu_milli=cpu, memory_mib=memory)


def _in_instance(job: JobRequest, profile: str | None) -> JobRequest:
    if job.mig_profile is not None:
        if profile not in {None, job.mig_profile}:
            raise DoesNotFitError(f"the job wants a MIG instance {job.mig_profile}, not {profile}")
        return job
    if profile is None:
        raise DoesNotFitError("expected the MIG profile of the instance that it is to run in")
    if job.num_gpus != 1 or job.gpu_milli < WHOLE_GPU_MILLI:
        raise DoesNotFitError("only a job of one whole GPU can run in a MIG instance instead")
    try:
        return sliced_request(job, profile)
    except ValueError:
        raise DoesNotFitError(f"expected a MIG profile such as 1g.10gb, got {profile}") from None
