"""The commands of docs/usage.md and docs/product-analytics.md, executed as they stand."""

from __future__ import annotations

import csv
from pathlib import Path

import pyarrow.parquet

from services.analytics.domain.lines import COLUMNS
from tests.support.pages import page, run_commands
from tests.support.stack import Stack


def test_the_commands_on_usage_work_as_written(stack: Stack, tmp_path: Path) -> None:
    printed = run_commands(stack, tmp_path, page("docs/usage.md"))
    assert '"group_by":["day","voice"]' in printed
    with (tmp_path / "usage.csv").open(newline="") as file:
        assert next(csv.reader(file)) == list(COLUMNS)
    units = pyarrow.parquet.read_table(tmp_path / "usage.parquet")["unit"].to_pylist()
    assert set(units) <= {"characters"}


def test_the_commands_on_product_analytics_work_as_written(stack: Stack, tmp_path: Path) -> None:
    printed = run_commands(stack, tmp_path, page("docs/product-analytics.md"))
    assert "problem" not in printed
    assert printed.count('"k":5') == 2
