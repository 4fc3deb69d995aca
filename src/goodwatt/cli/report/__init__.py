"""report.html: one self-contained page about one run or a comparison of several.

`page` puts the file together, `payload` gathers its data from the runs, `assets` holds what the browser executes.
"""

from goodwatt.cli.report.page import write_report

__all__ = ["write_report"]
