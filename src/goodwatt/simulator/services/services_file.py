"""Services files of users (`--services`): YAML, checked against `services_schema`, and built into services.

Where the requests come from is `service_requests`, which model is meant `service_models`. Whether the instances fit a
cluster is for whoever has one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from goodwatt.checked_yaml import build_checked, read_text
from goodwatt.cluster import mig
from goodwatt.cluster.catalogue import gpu_kind
from goodwatt.cluster.gpu_kind import GpuKind
from goodwatt.errors import FieldError, InputError, Place
from goodwatt.power.serving.llm_shape import LlmShape
from goodwatt.power.serving.serving_figures import software
from goodwatt.power.serving.step_shape import StepShape
from goodwatt.simulator.services.promise import Promise
from goodwatt.simulator.services.service import Service
from goodwatt.simulator.services.service_models import model_of
from goodwatt.simulator.services.service_requests import RequestFiles
from goodwatt.simulator.services.services_schema import SECTIONS, ServicesFile
from goodwatt.simulator.services.serving import serving_of
from goodwatt.simulator.services.step_source import StepSource
from goodwatt.traces.requests.request_source import RequestSource

Content = Mapping[str, Any]

_AS_THEY_ARE = (
    "name",
    "software",
    "routing",
    "long_tokens",
    "long_share",
    "iteration_tokens",
    "memory_share",
    "mig_profile",
    "most_sequences",
    "partition",
    "user",
    "priority",
)


def read_services(path: Path, seed: int = 0, *, skip_bad_rows: bool = False) -> list[Service]:
    """The services that the file describes, in its order; files named in it lie beside it.

    `seed` is that of the run, from which sources of requests draw unless the file gives one its own. `skip_bad_rows`
    goes past rows of request traces that cannot be used; `service_requests.request_notes` tells how many. Raises
    InputError, with file, line, what was expected and what came.
    """
    text = read_text(path, "services file")
    return build_checked(
        text,
        str(path),
        "services",
        ServicesFile,
        SECTIONS,
        lambda content: services_from(content["services"], path.parent, seed, skip_bad_rows=skip_bad_rows),
    )


def services_from(
    entries: Sequence[Content], folder: Path, seed: int = 0, *, skip_bad_rows: bool = False
) -> list[Service]:
    """The services that checked entries describe, as in `read_services`. Raises FieldError, under `services`."""
    files = RequestFiles(folder, seed, skip_bad_rows=skip_bad_rows)
    seen: set[str] = set()
    for position, entry in enumerate(entries):
        if entry["name"] in seen:
            place: Place = ("services", position, "name")
            raise FieldError(place, f"expected every service to have its own name, got {entry['name']!r} twice")
        seen.add(entry["name"])
    return [_service(entry, ("services", position), files) for position, entry in enumerate(entries)]


def _service(entry: Content, place: Place, files: RequestFiles) -> Service:
    """One service, whose model fits its GPUs."""
    kind = _checked((*place, "gpu"), gpu_kind, entry["gpu"])
    if "software" in entry:
        _checked((*place, "software"), software, entry["software"])
    model = model_of(entry["model"], (*place, "model"), kind.name)
    tokens = isinstance(model, LlmShape)
    if not tokens:
        _refuse_what_needs_tokens(entry, place)
    _refuse_unused(entry, place)
    service = Service(
        model=model,
        gpu=kind.name,
        tensor_parallel=entry.get("tensor_parallel", 1),
        promise=_promise(entry["promise"], (*place, "promise")),
        requests=_requests(entry, model, place, files),
        **(_replicas(entry, place) | _unless_told(model) | {key: entry[key] for key in _AS_THEY_ARE if key in entry}),
    )
    _check_slice(service, kind, place)
    _checked((*place, "model"), serving_of, service, kind)
    return service


def _check_slice(service: Service, kind: GpuKind, place: Place) -> None:
    """Instances that have a part of a GPU."""
    if service.mig_profile is None:
        return
    _checked((*place, "mig_profile"), mig.profile, kind, service.mig_profile)
    if service.tensor_parallel != 1:
        raise FieldError((*place, "tensor_parallel"), f"expected 1 with a MIG profile, got {service.tensor_parallel}")
    if not isinstance(service.model, LlmShape):
        raise FieldError((*place, "mig_profile"), "expected a language model: others have not been measured in slices")


def _requests(entry: Content, model: LlmShape | StepShape, place: Place, files: RequestFiles) -> RequestSource:
    place = (*place, "requests")
    if isinstance(model, LlmShape):
        return files.source(entry["requests"], entry["name"], place, tokens=True)
    return StepSource(files.source(entry["requests"], entry["name"], place, tokens=False), model.steps)


def _unless_told(model: LlmShape | StepShape) -> dict[str, Any]:
    """Without tokens: as many at once as were measured, and in turn, since tokens do not tell what is left to do."""
    if isinstance(model, LlmShape):
        return {}
    return {"routing": "round_robin", **({"most_sequences": model.most} if model.most else {})}


def _promise(entry: Content, place: Place) -> Promise:
    if not entry:
        raise FieldError(place, "expected at least one of ttft_p99_s, tpot_p99_s, latency_p99_s, got none")
    return Promise(**{key.replace("_p99", ""): value for key, value in entry.items()})


def _replicas(entry: Content, place: Place) -> dict[str, Any]:
    """Least and most replicas, how many of them compute prompts, and how long they take to start."""
    replicas, pools = entry.get("replicas", {}), entry.get("pools")
    facts = {"start_s": replicas["start_s"]} if "start_s" in replicas else {}
    if pools is None:
        least, most = _span(replicas, (*place, "replicas"))
        return facts | {"min_replicas": least, "max_replicas": most}
    if "min" in replicas or "max" in replicas:
        raise FieldError((*place, "replicas"), "expected numbers of replicas under pools only, got them here too")
    prefill, decode = (_span(pools[role], (*place, "pools", role)) for role in ("prefill", "decode"))
    return facts | {
        "separate": True,
        "min_prefill": prefill[0],
        "max_prefill": prefill[1],
        "min_replicas": prefill[0] + decode[0],
        "max_replicas": prefill[1] + decode[1],
    }


def _span(entry: Content, place: Place) -> tuple[int, int]:
    least = entry.get("min", 1)
    most = entry.get("max", least)
    if least > most:
        raise FieldError((*place, "max"), f"expected at least min, which is {least}, got {most}")
    return least, most


def _refuse_unused(entry: Content, place: Place) -> None:
    """What would count nowhere is a mistake of whoever wrote it."""
    for key in ("long_tokens", "long_share"):
        if key in entry and entry.get("routing") != "by_length":
            raise FieldError((*place, key), "expected with routing: by_length only")


def _refuse_what_needs_tokens(entry: Content, place: Place) -> None:
    for key in ("pools", "software", "iteration_tokens"):
        if key in entry:
            raise FieldError((*place, key), "expected with a language model only")
    if entry.get("routing") == "by_length":
        raise FieldError((*place, "routing"), "expected by_length with a language model only")
    for key in ("ttft_p99_s", "tpot_p99_s"):
        if key in entry["promise"]:
            problem = "expected latency_p99_s: requests of a model that is no language model have no tokens"
            raise FieldError((*place, "promise", key), problem)
    if entry.get("tensor_parallel", 1) != 1:
        raise FieldError((*place, "tensor_parallel"), f"expected 1 without tokens, got {entry['tensor_parallel']}")


def _checked(place: Place, make: Callable[..., Any], *arguments: object) -> Any:
    """What `make` gives; what it finds wrong, at this place."""
    try:
        return make(*arguments)
    except FieldError:
        raise
    except InputError as error:
        raise FieldError(place, str(error)) from None
