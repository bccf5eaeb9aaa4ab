"""Diagnostics of a trained income model, as numbers about groups of ten or more and as plots of those numbers."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtri

from living_finance.contracts import codes
from living_finance.income.model import (
    EARNED,
    CityHouseholds,
    DrawModel,
    IncomeModel,
    group_errors,
    month_targets,
    other_transfers,
)
from living_finance.income.other_components import MODELLED
from living_finance.income.survey_weights import FIFTHS, fifths
from living_finance.income.training import TOTAL, Assessment, TrainingData
from living_finance.income.value_benchmark import (
    AGE_GROUPS,
    COMPONENTS,
    TENURES,
    Profile,
    age_group_of,
    cell_of,
    empty_profile,
    factors,
    group_means,
    own_errors,
    tenure_of,
)
from living_finance.methods.grouped import Floats

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_GROUP = 10
_MOST_GROUPS = 20
_PROFILED_DRAWS = 5
_LABELS = {
    "labour": "근로 labour",
    "business": "사업 business",
    "property": "재산 property",
    "transfer": "이전 transfer",
    "irregular": "비경상 irregular",
    TOTAL: "총소득 total",
    "fifths": "소득 5분위 fifths",
    "ages": "가구주 연령 head's age",
    "tenures": "점유 형태 tenure",
}
_TICKS = {
    "fifths": [f"{k + 1}분위" for k in range(FIFTHS)],
    "ages": list(AGE_GROUPS),
    "tenures": [codes.TENURE.label(name) for name in TENURES],
}
_BLUE, _ORANGE, _GREY = "#005a9c", "#e69f00", "#9ca3af"
"""Of Okabe & Ito (2008), Color universal design."""
_MOST_BESIDE = 3
_MANWON = 1e4
_NO_VARIANCE = 1e-12


@dataclass(frozen=True)
class Diagnostics:
    """Numbers that plots show; every one is about ten households or dongs or more, or is a parameter."""

    residuals: Mapping[str, tuple[Floats, Floats, Floats]]
    """Component → by groups of fitted log amounts: fitted, mean and spread of standardised residuals."""
    quantiles: Mapping[str, tuple[Floats, Floats]]
    """Component → normal quantiles, means of ranked standardised residuals."""
    earned: Mapping[str, tuple[Floats, Floats]]
    """labour, business → by rank among those who have any: mean logs of the survey's amounts, and of the corrected scores' in the
    same weighted share of households (NaN: of fewer than ten)."""
    shrinkage: Mapping[str, tuple[float, ...]]
    """Component → shares of the effects of surveyed dongs that are kept, sorted in groups of ten dongs."""
    calibration: Mapping[str, tuple[Floats, Floats, Floats]]
    """fifths, ages and, where one is published, tenures → means before and after benchmarking, and published (NaN: none, or of
    fewer than ten), KRW/year."""
    importance: Mapping[str, Mapping[str, float]]
    """Component → term → coefficient x standard deviation of the term, of the log amount."""


def sample_profile(draw: DrawModel, city: CityHouseholds, *, by_tenure: bool = False) -> Profile:
    """Profile of one draw of a sample of households."""
    return _profile(draw.amounts(city), city, by_tenure=by_tenure)


def _profile(amount: Floats, city: CityHouseholds, *, by_tenure: bool) -> Profile:
    """Profile of a sample of households with these incomes, components x households."""
    households, profile = city.households, empty_profile(by_tenure=by_tenure)
    cell = cell_of(amount.sum(axis=0), households.head_age_band, tenure_of(households.tenure), by_tenure=by_tenure)
    flat = profile.reshape(-1, 1 + len(COMPONENTS))
    for position, values in enumerate((city.weight, *(city.weight * a for a in amount))):
        flat[:, position] = np.bincount(cell, weights=values, minlength=len(flat))
    return profile


def diagnose(model: IncomeModel, data: TrainingData) -> Diagnostics:
    """Diagnostics of the point fit on the data it was trained on."""
    residuals, quantiles, shrinkage, importance = {}, {}, {}, {}
    is_used = np.isfinite(data.survey.households.earnings) & (data.weight > 0.0)
    beyond = other_transfers(data.survey, data.weight, data.city, model.draws[0].programmes, draw=0)
    for name in MODELLED:
        component = model.draws[0].components[name]
        if component.model is None:
            continue
        amount = data.survey.amounts[name] if name != "transfer" else beyond
        has = np.isfinite(amount) & (amount > 0.0) & is_used
        terms = data.survey.households.terms(component.terms)[has]
        regression = component.model.amount
        effect, _ = regression.given_sample(data.survey.households.dong_code[has].astype(str))
        fitted = regression.score(terms) + effect
        left = (component.model.transformation.forward(amount[has]) - fitted) / np.sqrt(component.model.unit_variance)
        residuals[name] = _by_group(fitted, left)
        ranked = _groups(np.sort(left))
        places = (np.cumsum([g.size for g in ranked]) - np.array([g.size for g in ranked]) / 2) / max(left.size, 1)
        quantiles[name] = (ndtri(places), np.array([g.mean() for g in ranked]))
        kept = sorted(_kept(regression.area_variance, variance) for _, variance in regression.effects.values())
        shrinkage[name] = tuple(float(g.mean()) for g in _groups(np.array(kept)))
        spread = terms.std(axis=0)
        importance[name] = {
            term: float(coefficient * of)
            for term, coefficient, of in zip(component.terms, regression.coefficients[1:], spread, strict=True)
        }
    drawn = model.draws[0].amounts(data.city)
    earned = {
        name: _ranked_beside(data.survey.amounts[name], data.weight, drawn[COMPONENTS.index(name)], data.city.weight)
        for name in EARNED
    }
    return Diagnostics(residuals, quantiles, earned, shrinkage, _calibration(model, data, drawn), importance)


def _ranked_beside(answer: Floats, weight: Floats, drawn: Floats, of_drawn: Floats) -> tuple[Floats, Floats]:
    """Mean logs of positive answers in groups of neighbours, and of the same weighted share of what is drawn.

    >>> _ranked_beside(np.full(20, np.e), np.ones(20), np.r_[np.full(10, 1.0), np.full(30, np.e)], np.ones(40))
    (array([1., 1.]), array([0.5, 1. ]))
    """
    has = np.isfinite(answer) & (answer > 0.0) & (weight > 0.0)
    order = np.argsort(answer[has], kind="stable")
    groups = list(zip(_groups(np.log(answer[has])[order]), _groups(weight[has][order]), strict=True))
    if not groups:
        return np.zeros(0), np.zeros(0)
    asked = np.array([np.average(logs, weights=of) for logs, of in groups])
    through = np.cumsum([of.sum() for _, of in groups])
    ranked = np.flatnonzero((drawn > 0.0) & (of_drawn > 0.0))
    ranked = ranked[np.argsort(drawn[ranked], kind="stable")]
    share = of_drawn[ranked]
    place = np.searchsorted(through[:-1] / through[-1], (np.cumsum(share) - share / 2) / max(share.sum(), 1e-300))
    number, whole, logs = (
        np.bincount(place, weights=each, minlength=asked.size).astype(np.float64)
        for each in (np.ones(share.size), share, share * np.log(drawn[ranked]))
    )
    return asked, _of_ten(np.divide(logs, whole, out=np.zeros(asked.size), where=whole > 0.0), number)


def _kept(area_variance: float, remaining: float) -> float:
    """Share of an area's effect that is not shrunk away; where areas do not differ, nothing is left.

    >>> _kept(0.04, 0.01), _kept(0.0, 0.0)
    (0.75, 0.0)
    """
    return 1.0 - remaining / area_variance if area_variance > _NO_VARIANCE else 0.0


def _calibration(model: IncomeModel, data: TrainingData, amount: Floats) -> Mapping[str, tuple[Floats, Floats, Floats]]:
    """Means before and after benchmarking; `amount`: of the first draw, components x households."""
    targets = month_targets(data.published, draws=len(model.draws), seed=model.seed)[: len(model.draws[:_PROFILED_DRAWS])]
    by_tenure = bool(targets[0].tenures)
    others = (sample_profile(draw, data.city, by_tenure=by_tenure) for draw in model.draws[1:_PROFILED_DRAWS])
    profiles = [_profile(amount, data.city, by_tenure=by_tenure), *others]
    errors = group_errors(data.published)
    own = own_errors(profiles[1:] or profiles, targets[1:] or targets, errors=errors)
    found = factors(profiles[0], targets[0], own=own, errors=errors)
    band, tenure = data.city.households.head_age_band, tenure_of(data.city.households.tenure)
    moved = amount * np.asarray(found.ratios)[:, None] * found.of_households(amount.sum(axis=0), band, tenure)
    before, after = group_means(profiles[0]), group_means(_profile(moved, data.city, by_tenure=by_tenure))
    of_fifths = np.array([targets[0].fifths.get(k + 1, np.nan) for k in range(before.fifths.size)])
    of_ages = np.array([targets[0].ages.get(name, np.nan) for name in AGE_GROUPS])
    of_tenures = np.array([targets[0].tenures.get(name, np.nan) for name in TENURES])
    in_fifths, in_ages, in_tenures = _households(amount.sum(axis=0), data.city)
    calibration = {
        "fifths": (_of_ten(before.fifths, in_fifths), _of_ten(after.fifths, in_fifths), of_fifths),
        "ages": (_of_ten(before.ages, in_ages), _of_ten(after.ages, in_ages), of_ages),
    }
    if by_tenure:
        calibration["tenures"] = (_of_ten(before.tenures, in_tenures), _of_ten(after.tenures, in_tenures), of_tenures)
    return calibration


def _households(total: Floats, city: CityHouseholds) -> tuple[Floats, Floats, Floats]:
    """Sampled households by weighted fifth of total income, by age group and by tenure."""
    of_fifths = np.bincount(fifths(total, city.weight) - 1, minlength=FIFTHS)
    of_ages = np.bincount(age_group_of(city.households.head_age_band), minlength=len(AGE_GROUPS))
    of_tenures = np.bincount(tenure_of(city.households.tenure), minlength=len(TENURES))
    return of_fifths.astype(float), of_ages.astype(float), of_tenures.astype(float)


def _of_ten(means: Floats, households: Floats) -> Floats:
    """Means of groups of ten or more; NaN for others.

    >>> _of_ten(np.array([1.0, 2.0]), np.array([9.0, 10.0])).tolist()
    [nan, 2.0]
    """
    return np.where(households >= _GROUP, means, np.nan)


def _groups(values: Floats) -> list[Floats]:
    """Neighbours in groups of ten or more; nothing where there are fewer."""
    count = min(values.size // _GROUP, _MOST_GROUPS)
    return [np.asarray(part) for part in np.array_split(values, count)] if count else []


def _by_group(by: Floats, values: Floats) -> tuple[Floats, Floats, Floats]:
    order = np.argsort(by, kind="stable")
    pairs = list(zip(_groups(by[order]), _groups(values[order]), strict=True))
    return (
        np.array([b.mean() for b, _ in pairs]),
        np.array([v.mean() for _, v in pairs]),
        np.array([v.std() for _, v in pairs]),
    )


def plots(found: Diagnostics, assessment: Assessment) -> dict[str, bytes]:
    """PNG files by name."""
    import koreanize_matplotlib  # type: ignore[import-untyped]  # noqa: F401  # registers NanumGothic
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter, MaxNLocator, PercentFormatter

    amounts, percent = FuncFormatter(lambda value, _: f"{value:,.0f}"), PercentFormatter(xmax=1.0, decimals=0)

    def drawn(title: str, names: Sequence[str], draw: Callable[[Axes, str], None], *, x: str = "", y: str = "") -> bytes:
        rows, columns = max(-(-len(names) // _MOST_BESIDE), 1), max(min(len(names), _MOST_BESIDE), 1)
        figure = Figure(figsize=(3.6 * columns, 3.2 * rows + 0.4), dpi=110, layout="constrained")
        figure.suptitle(title, fontsize=11)
        for position, name in enumerate(names):
            axes = figure.add_subplot(rows, columns, position + 1)
            axes.set_title(_LABELS.get(name, name), fontsize=10)
            axes.tick_params(labelsize=8)
            axes.set_xlabel(x, fontsize=8)
            axes.set_ylabel(y if position % columns == 0 else "", fontsize=8)
            axes.spines[["top", "right"]].set_visible(False)
            draw(axes, name)
            if not axes.has_data():
                axes.set_xticks([])
                axes.text(0.5, 0.5, "10개 미만\nfewer than ten", transform=axes.transAxes, ha="center", va="center", fontsize=8)
        stream = io.BytesIO()
        figure.savefig(stream, format="png", metadata={"Software": None})
        return stream.getvalue()

    def residuals(axes: Axes, name: str) -> None:
        fitted, mean, spread = found.residuals[name]
        axes.axhline(0.0, color=_GREY, linewidth=0.8)
        if fitted.size:
            axes.errorbar(fitted, mean, yerr=spread, fmt="o", markersize=4, linewidth=0.8, color=_BLUE)

    def quantiles(of: Mapping[str, tuple[Floats, Floats]]) -> Callable[[Axes, str], None]:
        def beside(axes: Axes, name: str) -> None:
            expected, ranked = of[name]
            if expected.size:
                axes.plot(expected, expected, color=_GREY, linewidth=0.8)
                axes.plot(expected, ranked, "o", markersize=4, color=_BLUE)

        return beside

    def shrinkage(axes: Axes, name: str) -> None:
        kept = found.shrinkage[name]
        axes.set_ylim(-0.04, 1.04)
        axes.yaxis.set_major_formatter(percent)
        if kept:
            axes.plot(np.arange(1, len(kept) + 1), kept, "o", markersize=6, color=_BLUE)
            axes.set_xlim(0.5, len(kept) + 0.5)
            axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))

    def calibration(axes: Axes, name: str) -> None:
        before, after, published = found.calibration[name]
        places = np.arange(before.size)
        for values, place, marker, colour, label in (
            (before, places - 0.2, "o", _ORANGE, "전 before"),
            (after, places, "s", _BLUE, "후 after"),
            (published, places + 0.2, "x", "black", "공표 published"),
        ):
            if np.isfinite(values).any():
                axes.plot(place, values / _MANWON, marker, markersize=6, color=colour, label=label)
        axes.set_xticks(places, _TICKS[name])
        axes.set_ylim(0.0, axes.get_ylim()[1] * 1.03)
        axes.yaxis.set_major_formatter(amounts)
        axes.legend(fontsize=8)

    def importance(axes: Axes, name: str) -> None:
        ranked = sorted(found.importance[name].items(), key=lambda pair: abs(pair[1]))
        axes.barh([term.replace("_", " ") for term, _ in ranked], [value for _, value in ranked], color=_BLUE)
        axes.axvline(0.0, color=_GREY, linewidth=0.8)

    def held_out(axes: Axes, name: str) -> None:
        cells = [c for c in assessment.cells if c.component == name and c.households >= _GROUP and c.mean > 0.0]
        axes.axhline(0.0, color=_GREY, linewidth=0.8)
        axes.yaxis.set_major_formatter(percent)
        if cells:
            bias, reach = [c.bias / c.mean for c in cells], [1.96 * c.error / c.mean for c in cells]
            axes.errorbar(range(len(cells)), bias, yerr=reach, fmt="o", markersize=4, linewidth=0.8, color=_BLUE)
            axes.set_xticks(range(len(cells)), [c.area for c in cells], rotation=90)
            axes.set_xlim(-0.5, len(cells) - 0.5)

    modelled = list(found.residuals)
    return {
        "residuals.png": drawn(
            "잔차 residuals: 10가구 이상 집단의 평균과 표준편차 mean and spread of groups of ten or more",
            modelled,
            residuals,
            x="예측값 fitted (log 원 KRW)",
            y="표준화 잔차 standardised",
        ),
        "normal_quantiles.png": drawn(
            "정규 Q–Q: 10가구 이상 집단 groups of ten or more",
            modelled,
            quantiles(found.quantiles),
            x="정규 normal",
            y="잔차 residuals",
        ),
        "earnings.png": drawn(
            "근로·사업소득 Q–Q: 조사와 보정된 점수 survey and corrected scores, groups of ten or more",
            list(found.earned),
            quantiles(found.earned),
            x="조사 survey (log 원 KRW)",
            y="모형 model",
        ),
        "shrinkage.png": drawn(
            "축소 shrinkage: 행정동 효과가 남는 비율 share of dong effects kept",
            modelled,
            shrinkage,
            x="행정동 10개씩 dongs, ten a point",
            y="남는 비율 kept",
        ),
        "calibration.png": drawn(
            "보정 전후 평균 총소득 mean total income before and after benchmarking",
            list(found.calibration),
            calibration,
            y="만원/년 10,000 KRW a year",
        ),
        "importance.png": drawn("변수 중요도 importance", modelled, importance, x="계수 × 표준편차 coefficient × spread"),
        "held_out.png": drawn(
            "제외 지역의 상대편향과 95 % 구간 relative bias where left out, with 95 % intervals",
            [*COMPONENTS, TOTAL],
            held_out,
            y="상대편향 relative bias",
        ),
    }
