"""Where a figure or a household comes from, put into words: pure text from facts that `steps.explain` has read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Column
from rich.table import Table as RichTable
from rich.text import Text

from living_finance.contracts import codes
from living_finance.contracts.language import IN_DEVELOPMENT


@dataclass(frozen=True, kw_only=True)
class FigureFacts:
    """What a region's figures of a month rest on."""

    table: str
    month: str
    region: str
    region_name: str
    figures: Mapping[str, Any]
    """Column → value of the region's row with every category `all`; empty where the table has none."""
    groups: Sequence[Mapping[str, Any]]
    """Main figures of the region by group, where the table has no row of everybody: of a breakdown by dimension and category, of
    persons by place."""
    rows: int
    """Rows of the table for the region."""
    deliveries: Mapping[str, Mapping[str, Any]]
    """Dataset → month, number, sha256, is_provisional, as the month was made; empty for a month made before they were noted."""
    edits: Sequence[Mapping[str, Any]]
    """Per delivered table and reason (`all`: every row): rows kept, edited, quarantined, removed; of `edits_of` alone."""
    edits_of: str
    """Code and name of the district whose delivered rows they are; empty: the whole city's."""
    versions: Mapping[str, Mapping[str, int]]
    """Table → Delta version and rows, from the month's manifest."""
    steps: Sequence[Mapping[str, Any]]
    """Per step: name, fingerprint; of a step with a model its version, MLflow run, registry number, month it was trained on."""
    adjustment: Sequence[Mapping[str, Any]] = ()
    """Per mean income of the city: before and after it was adjusted to the published one, the published one with relative
    error and source, KRW/year; empty for a month made before it was noted."""
    not_met: Sequence[str] = ()
    """Published figures that are not met, and why."""
    notes: Sequence[str] = ()
    """What was taken in place of what configuration does not say."""
    joint_test: Mapping[str, float] | None = None
    """Of estimates before their adjustment and published figures (`income.value_benchmark.JointTest`); None: not made."""
    transfers: Sequence[Mapping[str, Any]] = ()
    """Rows of `transfer_parts`; empty for output areas, where what programmes paid is not known, and for other tables."""
    weights: Mapping[str, Any] = field(default_factory=dict)
    """Of the region's private households: count, sum, least, median, largest; empty of persons, who have no weights, and then no
    calibration and no adjustment either."""
    areas: Mapping[str, Any] = field(default_factory=dict)
    """Of its output areas: how many, how many converged, targets, relaxed, target and weighted households, largest gap."""
    targets: Sequence[Mapping[str, Any]] = ()
    """Per margin: targets, relaxed, largest gap."""


@dataclass(frozen=True, kw_only=True)
class HouseholdFacts:
    """What one household rests on. Personal: for whoever may read households of its district."""

    household: Mapping[str, Any]
    before_income: Mapping[str, Any]
    """Its row of silver.household: what its bureau members bring."""
    members: Sequence[Mapping[str, Any]]
    register: Sequence[Mapping[str, Any]]
    lineage: Sequence[Mapping[str, Any]]
    steps: Sequence[Mapping[str, Any]]
    paid: Sequence[Mapping[str, Any]] = field(default_factory=tuple)
    """Per programme: recipients in its dong, and what they were paid in the month."""
    adjustment: Sequence[Mapping[str, Any]] = ()
    """As in `FigureFacts`."""


_STEPS_OF_AMOUNTS: Mapping[str, str] = {
    **dict.fromkeys(
        ("labour_income_krw_year", "business_income_krw_year"),
        "점수를 또래 내 순위로 보정, 신용정보 없는 성인 추가 "
        "scores corrected by rank among peers, adults not in the bureau added",
    ),
    "property_income_krw_year": "조사 모형에서 추출 drawn from the survey's model",
    "transfer_income_krw_year": "급여는 규정대로, 나머지는 조사 모형에서 추출 "
    "programmes by their rules, the rest drawn from the survey's model",
    "irregular_income_krw_year": "조사 모형에서 추출 drawn from the survey's model",
    "debt_krw": "행정동 신용거래자 총액에 맞춤 to the total of the dong's bureau residents",
    "spending_krw_month": "신용정보 없는 성인만큼 확대, 공표 평균에 맞춤 "
    "grossed up for adults not in the bureau, to the published mean",
}
"""Amount of a household → what makes it of the bureau's sum (`income.estimate.estimate_income`)."""


def transfer_parts(mean_krw_year: int, *, households: float, paid: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Mean transfer income of a region by programme paid there, and the rest of it: other public and private transfers.

    Args:
        mean_krw_year: of its households.
        households: weighted.
        paid: per programme: recipients, paid_krw_month.

    Returns:
        One row per programme and one of the rest; `mean_krw_year` adds up to the mean.
    """
    rows = [
        {
            "part": f"{codes.PROGRAMME.label(row['programme'])} {row['programme']}",
            "recipients": row["recipients"],
            "paid_krw_month": row["paid_krw_month"],
            "mean_krw_year": round(12 * row["paid_krw_month"] / households),
        }
        for row in paid
    ]
    rest = mean_krw_year - sum(row["mean_krw_year"] for row in rows)
    return [*rows, {"part": "그 밖의 공적·사적 이전 other public and private transfers", "mean_krw_year": rest}]


def explain_figure(facts: FigureFacts) -> RenderableType:
    """Text and tables for the terminal."""
    title = f"{facts.table}  {facts.month}  {facts.region} {facts.region_name}".rstrip()
    parts: list[RenderableType] = [Text(title, style="bold")]
    if facts.figures:
        parts.append(_pairs("공표값 figures (every category all)", facts.figures))
    if facts.groups:
        parts.append(_rows("공표값 figures by group", facts.groups))
    parts.append(Text(f"{facts.rows:,} rows of the table describe this region."))
    if facts.deliveries:
        parts.append(
            _rows(
                "제공 자료 deliveries that the month is made from",
                (
                    {
                        "dataset": name,
                        "month": d["month"],
                        "number": d["number"],
                        "provisional": "yes" if d["is_provisional"] else "",
                        "content": str(d["sha256"])[:12],
                    }
                    for name, d in facts.deliveries.items()
                ),
            )
        )
    else:
        parts.append(Text("The ledger does not say from which deliveries: the month was made before they were noted there."))
    parts += [
        *_delivered_rows(facts),
        _rows("처리 단계 steps and models", facts.steps),
        *(_adjusted(facts) if facts.weights else ()),
        *_transfers(facts),
        _rows("델타 버전 Delta versions", ({"table": name, **entry} for name, entry in facts.versions.items())),
        *_weighted(facts),
        Text(IN_DEVELOPMENT.both),
    ]
    return Group(*parts)


def _weighted(facts: FigureFacts) -> Iterable[RenderableType]:
    if not facts.weights:
        yield Text(
            "신용거래자는 가중 없이 센 전수입니다. Persons are those that the bureau knows, each counted once: no weights, no "
            "calibration, and incomes as the bureau scores them, not adjusted to published figures."
        )
        return
    yield _pairs("가중치 weights of the region's private households", facts.weights)
    yield _pairs("집계구 보정 calibration of its output areas", facts.areas)
    yield _rows("보정 기준 targets by margin", facts.targets)


def _delivered_rows(facts: FigureFacts) -> Iterable[RenderableType]:
    """The district's own where the region is one or lies in one."""
    if not facts.edits_of:
        yield _rows("정제 내역 delivered rows of the whole city", facts.edits)
        return
    yield _rows(f"정제 내역 delivered rows of the district {facts.edits_of}", facts.edits)
    yield Text("Rows that are of no district (census, benefits, published figures, persons without an address): --region 11.")


def _adjusted(facts: FigureFacts) -> Iterable[RenderableType]:
    """Income is adjusted for the city as a whole, whatever the region."""
    if facts.adjustment:
        yield _rows(
            "공표 통계 보정 mean income of the whole city, before and after its adjustment to published figures", facts.adjustment
        )
    else:
        yield Text("The ledger does not say what income was before it was adjusted: the month was made before that was noted.")
    if facts.joint_test:
        yield Text(
            "합동 검정 {figures} published figures and the estimates before, together: mean square {mean_square:.2f} on "
            "{freedom:.1f} degrees of freedom, probability {probability:.3f}".format(**facts.joint_test)
        )
    for line in facts.not_met:
        yield Text(f"공표 통계 미반영 {line}")
    for line in facts.notes:
        yield Text(f"비고 {line}")


def _transfers(facts: FigureFacts) -> Iterable[RenderableType]:
    if facts.transfers:
        yield _rows("이전소득 mean transfer income by programme as paid in the region, and the rest", facts.transfers)


def explain_household(facts: HouseholdFacts) -> RenderableType:
    """Text and tables for the terminal."""
    income = {name: value for name, value in facts.household.items() if name.endswith("_krw_year")}
    form = {name: value for name, value in facts.household.items() if name not in income}
    bureau = {name: value for name, value in facts.before_income.items() if name.startswith("bureau_")}
    return Group(
        _pairs("가구 household", form),
        _rows("가구원 members the bureau knows, with the evidence that put them here", facts.members),
        _rows("세대 register households in it", facts.register),
        _pairs("신용거래자 합계 what the bureau says of its members", bureau),
        _rows("산출 단계 from the bureau's sums to the amounts, and what adjustment did to the city's means", _made(facts)),
        _pairs("소득 income: the bureau's part as adjusted to the benchmarks, the rest by the model", income),
        _rows("사회수혜금 what programmes paid in its dong in the month; its own part of them is not kept apart", facts.paid),
        _rows("계보 lineage", facts.lineage),
        _rows("처리 단계 steps and models", facts.steps),
        Text(IN_DEVELOPMENT.both),
    )


def _made(facts: HouseholdFacts) -> Iterable[Mapping[str, Any]]:
    """Per amount: the bureau's sum, what was done to it, what came of it, and the same of the city's adjustment."""
    adjusted = {entry["figure"]: entry for entry in facts.adjustment}
    for name, step in _STEPS_OF_AMOUNTS.items():
        city = adjusted.get(name.removesuffix("_income_krw_year"), {})
        yield {
            "amount": name,
            "bureau members": facts.before_income.get(f"bureau_{name}"),
            "step": step,
            "household": facts.household.get(name),
            "city's mean before": city.get("before_krw_year"),
            "and after": city.get("after_krw_year"),
        }


def _pairs(title: str, values: Mapping[str, Any]) -> RichTable:
    table = RichTable("", "", title=title, show_header=False)
    for name, value in values.items():
        table.add_row(name, _cell(value))
    return table


def _rows(title: str, rows: Iterable[Mapping[str, Any]]) -> RichTable:
    listed = list(rows)
    names = list(dict.fromkeys(name for row in listed for name in row))
    table = RichTable(*(Column(name, overflow="fold") for name in names), title=title)
    for row in listed:
        table.add_row(*(_cell(row.get(name)) for name in names))
    return table


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.1f}"
    return escape(str(value))
