"""The model card: what the model is for, what it was trained on, how it does, where not to use it. Korean and English.

Every text is `Words`, so that no language says less than the other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from living_finance.contracts.codes import TENURE
from living_finance.contracts.language import Words
from living_finance.income.sensitivity import DONGS, MEASURES, Alternative
from living_finance.income.training import TOTAL, HeldOut, TrainedIncome
from living_finance.income.value_benchmark import COMPONENT_NAMES, COMPONENTS

_USE = (
    Words(
        ko="신용정보 점수와 조사로 가구의 다섯 가지 소득을 추정하는 소지역 모형이다.",
        en="A small-area model of five income components of every household, from bureau scores and a survey.",
    ),
    Words(
        ko="지역 통계를 만드는 데만 쓴다. 추출값은 그 값을 받은 가구에 대해 아무것도 말해 주지 않으며, 누구에 대한 결정에도 "
        "써서는 안 된다.",
        en="For statistics of areas only: a draw says nothing about the household it is drawn for, and must not be used to "
        "decide about anyone.",
    ),
    Words(
        ko="모형이 내는 값은 벤치마킹 전 값이다. 공표값 보정은 매월 따로 한다.",
        en="Values are before benchmarking, which is the month's own.",
    ),
)
_METHOD = (
    Words(
        ko="점수는 동료집단 안의 순위를 지켜 보정하고, 나머지는 이단계 경험적 최량예측으로 추정한다(결정 0021).",
        en="Scores are corrected by rank within peers, the rest are two-part empirical best predictors (decision 0021).",
    ),
    Words(
        ko="사회수혜금은 사업별 요건에 따라 배분해 동별 지급액에 맞추고, 그 밖의 이전소득만 모형으로 추정한다(결정 0051).",
        en="Benefit programmes go by their rules and add up to what dongs were paid; the model has the rest (decision 0051).",
    ),
    Words(
        ko="가정: 순위는 성·5세 연령 안에서 잡음 몫만큼만 바뀐다.",
        en="Assumption: ranks are kept within sex and five-year age but for a share of noise.",
    ),
)
_ALTERNATIVES = (
    Words(
        ko="조사와 신용정보에 공통 식별자가 없어 이 가정은 일부만 검증된다. 공표값 보정 전 총소득의, 도시 평균 대비 상대 변화다.",
        en="Survey and bureau have no common key: data test it in part only. Relative moves of total income over the city's "
        "mean, before published figures are met.",
    ),
)
_LIMITS = (
    Words(
        ko="조사가구가 8가구 미만인 행정동은 고유 효과가 없다.",
        en="Dongs with fewer than eight surveyed households have no effect.",
    ),
    Words(
        ko="모형은 누가 함께 사는지를 아는 것으로 본다. 그 불확실성은 지역 오차에 들어 있다(gold.error_budget).",
        en="The model takes it as known who lives together; the errors of regions hold it (gold.error_budget).",
    ),
    Words(
        ko="조사나 공표값의 기준시점이 바뀌면 다시 훈련한다.",
        en="Train anew when survey or published figures are newer.",
    ),
)
_PRIVACY = (
    Words(
        ko="개인·가구의 행이나 값이 없다: 모수와 10명 이상의 평균뿐이다.",
        en="No row and no value of a person or household: parameters, and means over ten persons or more.",
    ),
    Words(ko="입력 예시는 지어낸 것이다.", en="The input example is made up."),
)


_UNMEASURED = Words(ko="손실은 측정하지 못함", en="No loss was measured")


def model_card(trained: TrainedIncome, *, facts: Sequence[Words], verdict: Words, alternatives: Sequence[Alternative]) -> str:
    """Markdown; list items come in pairs, Korean first, but for notes, which hold both (`한국어; English`).

    Args:
        trained: what was trained.
        facts: month, references, versions: shown as they are.
        verdict: what the gate says of it.
        alternatives: how figures move under other assumptions.
    """
    model, found = trained.model, trained.assessment
    pooled = {name: found.pooled(name) for name in (*COMPONENTS, TOTAL)}
    left_out = "; ".join(" ".join(fold.left_out) for fold in trained.folds)
    draws = len(model.draws)
    lines = [
        "# 가구소득 모형 카드 · Household income model card",
        "",
        f"`{model.version()}`",
        *_section(Words(ko="용도", en="Use"), _USE),
        *_section(Words(ko="한계", en="Limits"), _LIMITS),
        *_section(Words(ko="사생활", en="Privacy"), _PRIVACY),
        *_section(Words(ko="자료", en="Data"), facts),
        *_section(
            Words(ko="방법", en="Method"),
            (*_METHOD, Words(ko=f"모수 {draws}벌, 추출마다 하나.", en=f"{draws} sets of parameters, one per draw.")),
        ),
        *_section(
            Words(ko="제외 지역에서의 오차", en="Error where districts were left out"),
            (
                Words(ko=f"함께 제외된 지역: {left_out or '없음'}", en=f"Left out together: {left_out or 'none'}"),
                Words(ko=f"손실 {found.loss:.3f}", en=f"Loss {found.loss:.3f}") if found.cells else _UNMEASURED,
                Words(ko=f"승격 심사: {verdict.ko}", en=f"Gate: {verdict.en}"),
            ),
        ),
        "",
        "| 소득 component | 상대편향 relative bias | 95 % | 조사가구 surveyed households |",
        "|---|---|---|---|",
        *(_row(COMPONENT_NAMES[name], cell) for name, cell in pooled.items() if cell is not None and cell.mean > 0.0),
        "",
        "| 총소득: 집단 total income by group | 상대편향 relative bias | 95 % | 조사가구 surveyed households |",
        "|---|---|---|---|",
        *(_row(_group(cell.area), cell) for cell in found.shown(found.groups) if cell.component == TOTAL),
        *_section(Words(ko="순위 가정이 다르면", en="If ranks were kept otherwise"), _ALTERNATIVES),
        "",
        f"| 가정 assumption | {' | '.join(f'{name.ko} {name.en}' for name in MEASURES.values())} |",
        "|---" * (1 + len(MEASURES)) + "|",
        *(_alternative(other) for other in alternatives),
    ]
    lines += ["", "## 알림 · Notes", "", *(f"- {note}" for note in model.notes)] if model.notes else []
    return "\n".join(lines) + "\n"


def _section(title: Words, items: Sequence[Words]) -> Iterator[str]:
    yield from ("", f"## {title.ko} · {title.en}", "")
    for item in items:
        yield from (f"- {item.ko}", f"- {item.en}")


def _row(name: Words, cell: HeldOut) -> str:
    half = 1.96 * cell.error / cell.mean
    return f"| {name.ko} {name.en} | {cell.bias / cell.mean:+.1%} | ± {half:.1%} | {cell.households} |"


def _alternative(other: Alternative) -> str:
    moves = (f"{other.moves[name]:{'' if name == DONGS else '+'}.1%}" if name in other.moves else "" for name in MEASURES)
    return f"| {other.name.ko} {other.name.en} | {' | '.join(moves)} |"


def _group(area: str) -> Words:
    """Name of a group of households that held-out predictions are compared in."""
    if area.startswith("tenure_"):
        code = area.removeprefix("tenure_")
        return Words(ko=f"점유 형태 {TENURE.label(code)}", en=f"tenure {TENURE.label(code, 'en')}")
    ages = area.removeprefix("head_age_")
    return Words(ko=f"가구주 연령 {ages}", en=f"head's age {ages}")
