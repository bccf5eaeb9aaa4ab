"""The official-statistic file is current, complete and follows the contracts."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from living_finance.catalog.methodology import methodology
from living_finance.contracts import codes, releases
from living_finance.contracts import quality as q
from living_finance.contracts.deliveries import DATASETS
from living_finance.contracts.edits import EDIT_RULES

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs" / "methodology.md"
TEXT = methodology()


def test_the_committed_document_is_current() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == TEXT, "stale: run `make docs`"


@pytest.mark.parametrize(
    "title",
    [
        *(
            "작성 목적",
            "모집단",
            "주요 개념",
            "기초 자료",
            "작성 방법",
            "공표 항목",
            "품질 관리",
            "수정 정책",
            "공표",
            "비밀 보호",
        ),
    ],
)
def test_it_has_the_sections_of_a_statistics_report(title: str) -> None:
    assert re.search(rf"^## \d+ .*{title}", TEXT, re.MULTILINE)


def test_sources_indicators_classifications_rules_and_checks_are_those_of_the_contracts() -> None:
    wanted = [f"| {dataset.name} | {table.name} |" for dataset in DATASETS for table in dataset.tables]
    wanted += [f"| `{name}` |" for name in EDIT_RULES]
    wanted += [f"| `{code}` |" for code in q.CHECK.codes]
    wanted += [f"| {code} | {ko} |" for code, ko, _ in codes.DWELLING_TYPE.labels]
    wanted += [f"| `{name}` |" for source in releases.STATISTICS.values() for name in source]
    assert [line for line in wanted if line not in TEXT] == []


def test_tables_are_whole() -> None:
    """Every row of a table has as many cells as its head."""
    for block in re.findall(r"(?:^\|.*\n)+", TEXT, re.MULTILINE):
        cells = {len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}
        assert len(cells) == 1, block[:200]


def test_the_figure_runs_from_every_delivery_to_the_statistics() -> None:
    edges = re.findall(r"^  (\w+)\[[^]]+\] --> (\w+)\[", TEXT, re.MULTILINE)
    sources, targets = {source for source, _ in edges}, {target for _, target in edges}
    assert sources - targets == {"bureau", "city", "census", "survey", "benchmarks"}
    assert targets - sources == {"gold_household_statistics"}


def test_measured_errors_are_those_of_the_benchmarks() -> None:
    """A figure measured anew there is to be told here, with its commit."""
    measured = " ".join((ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8").split())
    told = {
        (
            "1.66 %",
            "3968867",
        ): "commit 3968867[^)]*[)], mean over cities, errors after.* In the ten alone, 514 dongs: mean by dong 1.66 %",
        ("92.0 %", "3968867"): "commit 3968867.* 90 % intervals by dong hold, pooled over the ten: mean .* 92.0 % relative to",
        ("0.8 %", "c21bab5"): "scores of the whole city say .commit c21bab5.* Mean income by output area 2.7 %, dong 0.8 %",
        ("0.923", "c21bab5"): "scores of the whole city say .commit c21bab5[^:]*: pairwise F1 of households 0.923",
    }
    rows = re.findall(r"^[|] [^|]+ [|] [^|]+ [|] ([^|]+) [|] ([0-9a-f]{7}) [|] `python benchmarks/", TEXT, re.MULTILINE)
    assert rows and {*rows} == {*told}
    assert [found for found in told.values() if not re.search(found, measured)] == []
