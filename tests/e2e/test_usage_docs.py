"""The commands of docs/usage.md and docs/product-analytics.md, executed as they stand; and the table of plans."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pyarrow.parquet
from pydantic import TypeAdapter

from services.analytics.domain import LIMITS, Plan, Plans, Quota
from services.analytics.domain.lines import COLUMNS
from services.analytics.settings import LimitChanges, PlanName
from tests.support.pages import page, run_commands
from tests.support.stack import Stack


def test_the_commands_on_usage_work_as_written(stack: Stack, tmp_path: Path) -> None:
    printed = run_commands(stack, tmp_path, page("docs/usage.md"))
    assert '"group_by":["day","voice"]' in printed
    with (tmp_path / "usage.csv").open(newline="") as file:
        assert next(csv.reader(file)) == list(COLUMNS)
    units = pyarrow.parquet.read_table(tmp_path / "usage.parquet")["unit"].to_pylist()
    assert set(units) <= {"characters"}


def test_the_page_on_plans_has_their_table_and_a_setting_that_changes_it() -> None:
    text = page("docs/plans.md")
    for quota in Quota:
        (line,) = (line for line in text.splitlines() if re.match(rf"\| .*`{quota}`", line))
        for plan, cell in zip(Plan, line.split("|")[2:5], strict=True):
            limit = LIMITS[plan].of(quota)
            number, _, unit = cell.strip().replace(",", "").partition(" ")
            assert cell.strip() == "no limit" if limit is None else int(number) * (2**30 if unit else 1) == limit
    (line,) = (line for line in text.splitlines() if "at the same time" in line)
    assert [int(cell.replace(",", "")) for cell in line.split("|")[2:5]] == [LIMITS[plan].concurrency for plan in Plan]
    (setting,) = re.findall(r"ANTIPHON_PLAN_LIMITS=(.*)", text)
    changes = TypeAdapter(dict[PlanName, LimitChanges]).validate_json(setting)
    plans = Plans.changed({plan: one.model_dump(exclude_unset=True) for plan, one in changes.items()})
    assert (plans[Plan.FREE].characters, plans[Plan.FREE].custom_voices) == (20_000, None)
    assert plans[Plan.FREE].requests == LIMITS[Plan.FREE].requests


def test_the_commands_on_product_analytics_work_as_written(stack: Stack, tmp_path: Path) -> None:
    printed = run_commands(stack, tmp_path, page("docs/product-analytics.md"))
    assert "problem" not in printed
    assert printed.count('"k":5') == 2
