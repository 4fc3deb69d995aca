"""`fixed`: always the same number, within what the service allows."""

from __future__ import annotations

import pytest

from tests.policies.services.service_runs import Watched, chat, serving


@pytest.mark.parametrize(("spec", "count"), [("fixed", 6), ("fixed:replicas=3", 3), ("fixed:replicas=1", 2)])
def test_so_many_serve(spec: str, count: int) -> None:
    load = chat((0.0, 4.0), min_replicas=2, max_replicas=6)
    assert set(Watched(serving(spec, load, until_s=60.0)).counts[1:]) == {count}
