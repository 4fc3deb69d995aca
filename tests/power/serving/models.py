"""Shapes that the tests of serving share: from the models' published configurations."""

from __future__ import annotations

from goodwatt.power.serving.llm_shape import LlmShape

LLAMA_8B = LlmShape(parameters=7.5e9, active_parameters=7.5e9, layers=32, hidden=4096, kv_heads=8)
LLAMA_70B = LlmShape(parameters=69.5e9, active_parameters=69.5e9, layers=80, hidden=8192, kv_heads=8)
EXPERTS = LlmShape(
    parameters=30.2e9, active_parameters=3.0e9, layers=48, hidden=2048, kv_heads=4, routed=8 / 128, query_width=4096
)
