"""docs/methodology.md: the official-statistic file; its tables come from the contracts and the settings' defaults."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import Any

import jinja2

from living_finance.config import CatalogSettings, QualitySettings
from living_finance.contracts import catalogue as c
from living_finance.contracts import codes, gold, releases
from living_finance.contracts import quality as q
from living_finance.contracts.bronze import BRONZE_TABLES
from living_finance.contracts.core import CodeList, Table
from living_finance.contracts.deliveries import DATASETS
from living_finance.contracts.edits import EDIT_RULES
from living_finance.contracts.language import IN_DEVELOPMENT
from living_finance.contracts.utilization import LABELS, SMALLEST_CELL

_CLASSIFICATIONS: tuple[tuple[str, CodeList], ...] = (
    ("지역 수준 region level", codes.REGION_LEVEL),
    ("가구 유형 household type", codes.HOUSEHOLD_TYPE),
    ("가구주 연령대 head's age band", LABELS["head_age_band"]),
    ("거처 종류 dwelling type", codes.DWELLING_TYPE),
    ("점유 형태 tenure", codes.TENURE),
    ("가구원수 household size", LABELS["household_size"]),
    ("소득 5분위 income class", LABELS["income_class"]),
    ("종사상 지위 employment", codes.EMPLOYMENT),
)
_MEASURED: dict[str, str] = {
    "completeness": "missing values and rows; dongs without statistics 결측 값·행, 통계가 없는 행정동",
    "validity": "rows that break a rule of type, code or range, unit slips 형식·코드·범위 위반, 단위 오류",
    "consistency": "agreement of bureau, register and buildings; census targets kept 자료 간 모순, 보정 기준 준수",
    "uniqueness": "repeated and conflicting rows 중복·상충 행",
    "timeliness": "days from month's end to supply; deliveries of another year 제공 소요일, 다른 연도 자료",
    "accuracy": "gap to survey and published figures of the same concept; people by sex, age and dong beside the census; "
    "reliability of dongs 정의가 같은 조사·공표 통계와의 차이, 총조사 구성비와의 차이, 신뢰도",
    "coverage": "bureau and register beside the census; areas reached 총조사 대비 포괄률",
}

_TEN_CITIES = ("3968867", "`python benchmarks/income.py --cities 10 --first 113 --whole 123`")
_WHOLE_CITY = ("c21bab5", "`python benchmarks/full_city.py`")
_ERRORS: tuple[tuple[str, str, str, str, str], ...] = (
    ("mean income by dong: error, ten cities", "행정동 평균소득 오차, 열 개 도시", "1.66 %", *_TEN_CITIES),
    ("90 % intervals of it that hold, ten cities", "그 90% 구간의 포함률, 열 개 도시", "92.0 %", *_TEN_CITIES),
    ("mean income by dong: error, whole city", "행정동 평균소득 오차, 시 전체", "0.8 %", *_WHOLE_CITY),
    ("who lives with whom: pairwise F1, whole city", "가구 구성 쌍별 F1, 시 전체", "0.923", *_WHOLE_CITY),
)
"""What was measured, as in benchmarks/README.md: what, in Korean, value, commit, command."""


def methodology() -> str:
    """The document as Markdown; the same text whenever declarations and defaults are the same."""
    loader = jinja2.PackageLoader("living_finance.catalog", ".")
    environment = jinja2.Environment(
        loader=loader, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    return environment.get_template("methodology.md.j2").render(table=_table, **_facts())


def _facts() -> dict[str, Any]:
    quality, catalog = QualitySettings(), CatalogSettings()
    limits = (quality.grades.excellent, quality.grades.good, quality.grades.fair)
    grades = [f"{ko} {en} ≥ {limit:g}" for (_, ko, en), limit in zip(q.GRADE.labels, limits, strict=False)]
    (_, poor_ko, poor_en) = q.GRADE.labels[-1]
    components = [gold.HOUSEHOLD.column(name) for name in gold.INCOME_COMPONENTS]
    return {
        "catalog": catalog,
        "in_development": IN_DEVELOPMENT,
        "units": "household 가구, household member 가구원, person with credit activity 신용거래자",
        "levels": ", ".join(f"{ko} {en}" for _, ko, en in codes.REGION_LEVEL.labels),
        "components": " + ".join(f"{column.label_ko} {column.label_en}" for column in components),
        "classifications": [(name, *_split(name), list(codelist.labels)) for name, codelist in _CLASSIFICATIONS],
        "sources": [
            (dataset.name, table.name, table.label_ko, table.grain, dataset.cycle.value)
            for dataset in DATASETS
            for table in dataset.tables
        ],
        "flow": list(_flow(gold.HOUSEHOLD_STATISTICS)),
        "edits": [
            (f"`{rule.name}`", rule.outcome.value, rule.label_ko, rule.label_en, _dimension(rule.dimension))
            for rule in EDIT_RULES.values()
        ],
        "parts": [
            (f"`{column.name}`", column.label_ko, f"{column.label_en}: {column.meaning}")
            for column in map(gold.ERROR_BUDGET.column, gold.ERROR_PARTS)
        ],
        "publishable": f"{codes.PUBLISHABLE_CV:.0%}",
        "caution": f"{codes.CAUTION_CV:.0%}",
        "indicators": [
            (
                table.qualified_name,
                table.label_ko,
                table.label_en,
                table.grain,
                [(f"`{column.name}`", column.label_ko, column.label_en, column.unit) for column in c.indicators_of(table)],
            )
            for table in releases.SOURCES.values()
        ],
        "dimensions": [(en, ko, f"{getattr(quality.weights, code):g}", _MEASURED[code]) for code, ko, en in q.DIMENSION.labels],
        "errors": _ERRORS,
        "grades": ", ".join([*grades, f"{poor_ko} {poor_en} < {quality.grades.fair:g}"]),
        "checks": [(f"`{code}`", ko, en, "yes 예" if code in quality.blocking else "") for code, ko, en in q.CHECK.labels],
        "products": [(f"`{p.table.qualified_name}`", p.table.label_ko, p.table.label_en, p.access.rights_ko) for p in c.PRODUCTS],
        "keys": ", ".join(f"`{key.column}` ({key.label_ko})" for key in c.JOIN_KEYS),
        "inside": SMALLEST_CELL,
    }


def _split(name: str) -> tuple[str, str]:
    korean = [word for word in name.split() if not word.isascii()]
    return " ".join(korean), " ".join(word for word in name.split() if word.isascii())


def _dimension(name: str | None) -> str:
    return q.DIMENSION.label(name) if name else "–"


def _flow(table: Table) -> Iterable[str]:
    """Edges of the lineage of a table, as Mermaid writes them; the tables of one delivery stand for it."""
    waiting, seen, edges = [table], {table.qualified_name}, []
    while waiting:
        made = waiting.pop(0)
        for source in c.MADE_FROM.get(made.qualified_name, ()):
            is_delivered = source.name in BRONZE_TABLES
            name = source.name.partition("_")[0] if is_delivered else source.qualified_name
            edges.append(f"{name.replace('.', '_')}[{name}] --> {made.qualified_name.replace('.', '_')}[{made.qualified_name}]")
            if not is_delivered and source.qualified_name not in seen:
                seen.add(source.qualified_name)
                waiting.append(source)
    return dict.fromkeys(edges)


def _table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    lines += [f"| {' | '.join(str(cell).replace('|', chr(92) + '|') for cell in row)} |" for row in rows]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.stdout.write(methodology())
