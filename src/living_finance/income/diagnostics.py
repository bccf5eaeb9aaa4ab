"""Diagnostics of a trained income model, as numbers about groups of ten or more and as plots of those numbers."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtri

from living_finance.income.model import CityHouseholds, DrawModel, IncomeModel, group_errors, month_targets
from living_finance.income.other_components import MODELLED
from living_finance.income.training import TOTAL, Assessment, TrainingData
from living_finance.income.value_benchmark import (
    AGE_GROUPS,
    BINS,
    COMPONENTS,
    Profile,
    age_group_of,
    bin_of,
    factors,
    group_means,
    own_errors,
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
}


@dataclass(frozen=True)
class Diagnostics:
    """Numbers that plots show; every one is about ten surveyed households or more, or is a parameter."""

    residuals: Mapping[str, tuple[Floats, Floats, Floats]]
    """Component → by groups of fitted log amounts: fitted, mean and spread of standardised residuals."""
    quantiles: Mapping[str, tuple[Floats, Floats]]
    """Component → normal quantiles, means of ranked standardised residuals."""
    shrinkage: Mapping[str, tuple[float, ...]]
    """Component → shares of the effects of surveyed dongs that are kept, sorted in groups of ten dongs."""
    calibration: Mapping[str, tuple[Floats, Floats, Floats]]
    """fifths, ages → means before and after benchmarking, and published (NaN: none), KRW/year."""
    importance: Mapping[str, Mapping[str, float]]
    """Component → term → coefficient x standard deviation of the term, of the log amount."""


def sample_profile(draw: DrawModel, city: CityHouseholds) -> Profile:
    """Profile of one draw of a sample of households."""
    amount = draw.amounts(city)
    return _profile(amount, city, by=amount)


def _profile(amount: Floats, city: CityHouseholds, *, by: Floats) -> Profile:
    cell = age_group_of(city.households.head_age_band) * BINS + bin_of(by.sum(axis=0))
    profile = np.zeros((len(AGE_GROUPS) * BINS, 1 + len(COMPONENTS)))
    for position, values in enumerate((city.weight, *(city.weight * a for a in amount))):
        profile[:, position] = np.bincount(cell, weights=values, minlength=len(profile))
    return profile.reshape(len(AGE_GROUPS), BINS, 1 + len(COMPONENTS))


def diagnose(model: IncomeModel, data: TrainingData) -> Diagnostics:
    """Diagnostics of the point fit on the data it was trained on."""
    residuals, quantiles, shrinkage, importance = {}, {}, {}, {}
    for name in MODELLED:
        component = model.draws[0].components[name]
        if component.model is None:
            continue
        amount = data.survey.amounts[name]
        has = np.isfinite(amount) & (amount > 0.0) & (data.weight > 0.0)
        terms = data.survey.households.terms(component.terms)[has]
        regression = component.model.amount
        effect, _ = regression.given_sample(data.survey.households.dong_code[has].astype(str))
        fitted = regression.score(terms) + effect
        left = (component.model.transformation.forward(amount[has]) - fitted) / np.sqrt(component.model.unit_variance)
        residuals[name] = _by_group(fitted, left)
        ranked = _groups(np.sort(left))
        places = (np.cumsum([g.size for g in ranked]) - np.array([g.size for g in ranked]) / 2) / max(left.size, 1)
        quantiles[name] = (ndtri(places), np.array([g.mean() for g in ranked]))
        kept = sorted(1.0 - variance / max(regression.area_variance, 1e-12) for _, variance in regression.effects.values())
        shrinkage[name] = tuple(float(g.mean()) for g in _groups(np.array(kept)))
        spread = terms.std(axis=0)
        importance[name] = {
            term: float(coefficient * of)
            for term, coefficient, of in zip(component.terms, regression.coefficients[1:], spread, strict=True)
        }
    return Diagnostics(residuals, quantiles, shrinkage, _calibration(model, data), importance)


def _calibration(model: IncomeModel, data: TrainingData) -> Mapping[str, tuple[Floats, Floats, Floats]]:
    profiles = [sample_profile(draw, data.city) for draw in model.draws[:_PROFILED_DRAWS]]
    targets = month_targets(data.published, draws=len(model.draws), seed=model.seed)[: len(profiles)]
    own = own_errors(profiles[1:] or profiles, targets[1:] or targets)
    found = factors(profiles[0], targets[0], own=own, errors=group_errors(data.published))
    amount = model.draws[0].amounts(data.city)
    band = data.city.households.head_age_band
    moved = amount * np.asarray(found.ratios)[:, None] * found.of_households(amount.sum(axis=0), band)
    before, after = group_means(profiles[0]), group_means(_profile(moved, data.city, by=moved))
    of_fifths = np.array([targets[0].fifths.get(k + 1, np.nan) for k in range(before.fifths.size)])
    of_ages = np.array([targets[0].ages.get(name, np.nan) for name in AGE_GROUPS])
    return {"fifths": (before.fifths, after.fifths, of_fifths), "ages": (before.ages, after.ages, of_ages)}


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

    def drawn(title: str, names: Sequence[str], draw: Callable[[Axes, str], None]) -> bytes:
        figure = Figure(figsize=(3.2 * max(len(names), 1), 3.2), dpi=90, layout="constrained")
        figure.suptitle(title, fontsize=10)
        for position, name in enumerate(names):
            axes = figure.add_subplot(1, len(names), position + 1)
            axes.set_title(_LABELS.get(name, name), fontsize=9)
            axes.tick_params(labelsize=7)
            draw(axes, name)
        stream = io.BytesIO()
        figure.savefig(stream, format="png", metadata={"Software": None})
        return stream.getvalue()

    def residuals(axes: Axes, name: str) -> None:
        fitted, mean, spread = found.residuals[name]
        axes.errorbar(fitted, mean, yerr=spread, fmt="o", markersize=3, linewidth=0.8)
        axes.axhline(0.0, color="grey", linewidth=0.6)

    def against_normal(axes: Axes, name: str) -> None:
        normal, ranked = found.quantiles[name]
        axes.plot(normal, ranked, "o", markersize=3)
        axes.plot(normal, normal, color="grey", linewidth=0.6)

    def shrinkage(axes: Axes, name: str) -> None:
        axes.bar(np.arange(len(found.shrinkage[name])), found.shrinkage[name])
        axes.set_ylim(0.0, 1.0)

    def calibration(axes: Axes, name: str) -> None:
        before, after, published = found.calibration[name]
        for values, marker, label in ((before, "o", "전 before"), (after, "s", "후 after"), (published, "x", "공표 published")):
            axes.plot(np.arange(1, values.size + 1), values / 1e6, marker, markersize=5, label=label)
        axes.set_yscale("log")
        axes.legend(fontsize=7)

    def importance(axes: Axes, name: str) -> None:
        ranked = sorted(found.importance[name].items(), key=lambda pair: abs(pair[1]))
        axes.barh([term for term, _ in ranked], [value for _, value in ranked])

    def held_out(axes: Axes, name: str) -> None:
        cells = [c for c in assessment.cells if c.component == name and c.households >= _GROUP and c.mean > 0.0]
        bias = [c.bias / c.mean for c in cells]
        axes.errorbar(
            range(len(cells)), bias, yerr=[1.96 * c.error / c.mean for c in cells], fmt="o", markersize=3, linewidth=0.8
        )
        axes.axhline(0.0, color="grey", linewidth=0.6)
        axes.set_xticks(range(len(cells)), [c.area for c in cells], rotation=90)

    modelled = list(found.residuals)
    return {
        "residuals.png": drawn("잔차 residuals: 집단별 평균과 표준편차 mean and spread by group", modelled, residuals),
        "normal_quantiles.png": drawn("정규 Q–Q: 10가구 이상 집단 groups of ten or more", modelled, against_normal),
        "shrinkage.png": drawn("축소 shrinkage: 행정동 효과가 남는 비율 share of dong effects kept", modelled, shrinkage),
        "calibration.png": drawn("보정 전후 before and after benchmarking (백만원 M KRW)", list(found.calibration), calibration),
        "importance.png": drawn("변수 중요도 importance: 계수 × 표준편차", modelled, importance),
        "held_out.png": drawn("제외 지역 상대오차 relative bias where left out (95 %)", [*COMPONENTS, TOTAL], held_out),
    }
