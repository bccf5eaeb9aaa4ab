"""The model card: what the model is for, what it was trained on, how it does, where not to use it. Korean and English."""

from __future__ import annotations

from collections.abc import Mapping

from living_finance.income.training import TOTAL, HeldOut, TrainedIncome
from living_finance.income.value_benchmark import COMPONENTS

_KOREAN = {
    "labour": "근로",
    "business": "사업",
    "property": "재산",
    "transfer": "이전",
    "irregular": "비경상",
    TOTAL: "총소득",
}


def model_card(trained: TrainedIncome, *, facts: Mapping[str, str], verdict: str) -> str:
    """Markdown.

    Args:
        trained: what was trained.
        facts: month, references, versions: shown as they are.
        verdict: what the gate says of it.
    """
    model, found = trained.model, trained.assessment

    def row(label: str, cell: HeldOut) -> str:
        half = 1.96 * cell.error / cell.mean
        return f"| {label} | {cell.bias / cell.mean:+.1%} | ± {half:.1%} | {cell.households} |"

    pooled = {name: found.pooled(name) for name in (*COMPONENTS, TOTAL)}
    rows = [row(f"{_KOREAN[name]} {name}", cell) for name, cell in pooled.items() if cell is not None and cell.mean > 0.0]
    by_group = [row(cell.area.replace("_", " "), cell) for cell in found.shown(found.groups) if cell.component == TOTAL]
    left_out = "; ".join(" ".join(fold.left_out) for fold in trained.folds) or "없음 none"
    lines = [
        "# 가구소득 모형 카드 · Household income model card",
        "",
        f"`{model.version()}`",
        "",
        "## 용도 · Use",
        "",
        "- 신용정보 점수와 조사로 가구의 다섯 가지 소득을 추정하는 소지역 모형이다. 지역 통계를 만드는 데만 쓴다.",
        "- A small-area model of five income components of every household, from bureau scores and a survey. For statistics of",
        "  areas only: a draw says nothing about the household it is drawn for, and must not be used to decide about anyone.",
        "- 모형이 내는 값은 벤치마킹 전 값이다. 공표값 보정은 매월 따로 한다.",
        "- Values are before benchmarking, which is the month's own.",
        "",
        "## 자료 · Data",
        "",
        *(f"- {name}: {value}" for name, value in facts.items()),
        "",
        "## 방법 · Method",
        "",
        "- 점수는 동료집단 안의 순위를 지켜 보정하고, 나머지는 이단계 경험적 최량예측으로 추정한다(결정 0021).",
        "- Scores are corrected by rank within peers, the rest are two-part empirical best predictors (decision 0021).",
        "- 사회수혜금은 사업별 요건에 따라 배분해 동별 지급액에 맞추고, 그 밖의 이전소득만 모형으로 추정한다(결정 0051).",
        "- Benefit programmes go by their rules and add up to what dongs were paid; the model has the rest (decision 0051).",
        f"- 모수 {len(model.draws)}벌, 추출마다 하나. {len(model.draws)} sets of parameters, one per draw.",
        "- 가정: 순위는 성·5세 연령 안에서 잡음 몫만큼만 바뀐다. Assumption: ranks are kept within sex and five-year age but for",
        "  a share of noise.",
        "",
        "## 제외 지역에서의 오차 · Error where districts were left out",
        "",
        f"함께 제외된 지역 left out together: {left_out}",
        "",
        "| 소득 component | 상대편향 relative bias | 95 % | 조사가구 surveyed households |",
        "|---|---|---|---|",
        *rows,
        "",
        "| 총소득: 집단 total income by group | 상대편향 relative bias | 95 % | 조사가구 surveyed households |",
        "|---|---|---|---|",
        *by_group,
        "",
        f"손실 loss {found.loss:.3f} · {verdict}",
        "",
        "## 한계 · Limits",
        "",
        "- 조사가구가 8가구 미만인 행정동은 고유 효과가 없다. Dongs with fewer than eight surveyed households have no effect.",
        "- 누가 함께 사는지의 불확실성은 지역 오차에만 들어 있고 모형에는 없다. The model takes it as known who",
        "  lives together; the errors of regions hold it (gold.error_budget).",
        "- 조사·공표값의 기준시점이 바뀌면 다시 훈련한다. Train anew when survey or published figures are newer.",
        "",
        "## 사생활 · Privacy",
        "",
        "- 개인·가구의 행이나 값이 없다: 모수와 10명 이상의 평균뿐이다. 입력 예시는 지어낸 것이다.",
        "- No row and no value of a person or household: parameters, and means over ten persons or more. The input example is",
        "  made up.",
    ]
    lines += ["", "## 알림 · Notes", "", *(f"- {note}" for note in model.notes)] if model.notes else []
    return "\n".join(lines) + "\n"
