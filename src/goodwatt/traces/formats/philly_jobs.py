"""Philly (Jeon et al., ATC'19) as the list of jobs that Pollux and Sia sampled from: CSV, without job ids.

Neither status nor user nor node is in it; `philly_log` reads the original log, which has them.
"""

from __future__ import annotations

from goodwatt.traces import cells
from goodwatt.traces.table import Column, table_format

COLUMNS = (
    Column("submit_s", "submit_s", cells.SECONDS),
    Column("duration_s", "duration_s", cells.SPAN),
    Column("num_gpus", "num_gpus", cells.COUNT),
    Column("partition", "vc", cells.NAME),
)
FORMAT = table_format(
    "philly-jobs",
    "Philly 2017, the filtered job list of Pollux and Sia (submit_s, duration_s, num_gpus, vc)",
    COLUMNS,
    notes=("the source has no job ids: jobs are numbered in the order of the file",),
)
