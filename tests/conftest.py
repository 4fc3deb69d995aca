"""Hypothesis: the same examples in every run, no time limits per example, few examples unless asked for more.

A shell lets what it runs in the background ignore Ctrl-C, and children inherit that: tests of Ctrl-C need it back.
"""

from __future__ import annotations

import os
import signal

import pytest
from hypothesis import HealthCheck, settings

pytest.register_assert_rewrite("tests.scenario", "tests.state_content", "tests.made_runs")

settings.register_profile(
    "default", derandomize=True, deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("thorough", settings.get_profile("default"), max_examples=1000, derandomize=False)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
