"""When a trained model may become champion, when it may serve a month, when a new one is due."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from living_finance.config import ModelSettings
from living_finance.contracts.language import Words
from living_finance.income.training import TOTAL, Assessment
from living_finance.income.value_benchmark import COMPONENT_NAMES, COMPONENTS
from living_finance.months import Month

_WITHIN = Words(ko="제외 지역에서의 편향이 허용 범위 안", en="biases where districts were left out are within the bounds")
_UNMEASURED = Words(ko="제외할 수 있는 지역이 없어 측정하지 못함", en="no area could be left out: nothing was measured")


@dataclass(frozen=True)
class Verdict:
    """What the gate says, and why."""

    passes: bool
    reasons: tuple[Words, ...]

    @property
    def words(self) -> Words:
        return Words(ko="; ".join(reason.ko for reason in self.reasons), en=self.text)

    @property
    def text(self) -> str:
        """In English, as commands and tags say it."""
        return "; ".join(reason.en for reason in self.reasons)


@dataclass(frozen=True)
class Comparison:
    """Losses of two models on the same held-out areas."""

    difference: float
    """Challenger less champion."""
    error: float
    """Standard error of the difference."""


def compare(challenger: Assessment, champion: Assessment) -> Comparison:
    """Paired by replicate of the survey: what both find hard cancels."""
    spread = (challenger.replicates - champion.replicates).std(ddof=1) if challenger.replicates.size > 1 else 0.0
    return Comparison(challenger.loss - champion.loss, float(spread))


def verdict(metrics: Mapping[str, float], *, settings: ModelSettings, has_champion: bool) -> Verdict:
    """Of a challenger by the metrics of its training.

    Always: biases are within the stated bounds, each less what its own error explains (1.96). With a champion also: the loss on
    held-out areas is not larger than the champion's. No error of the difference is allowed for: models a little worse each
    would pass one after the other, and the champion would slide.
    """
    reasons = _beyond_bounds(metrics, settings=settings)
    passes = not reasons
    if has_champion:
        difference, error = metrics["gate_loss_difference"], metrics["gate_loss_difference_error"]
        passes = passes and difference <= 0.0
        reasons.append(
            Words(
                ko=f"현재 모형 대비 손실 {difference:+.4f}(표준오차 {error:.4f}), 허용 0",
                en=f"loss {difference:+.4f} against the champion's (standard error {error:.4f}), allowed 0",
            )
        )
    return Verdict(passes, tuple(reasons) or (_WITHIN,))


def _beyond_bounds(metrics: Mapping[str, float], *, settings: ModelSettings) -> list[Words]:
    if "cv_total_bias_krw_year" not in metrics:
        return [_UNMEASURED]
    reasons = []
    for name in (TOTAL, *COMPONENTS):
        if f"cv_{name}_bias_krw_year" not in metrics:
            continue
        beyond = abs(metrics[f"cv_{name}_bias_krw_year"]) - 1.96 * metrics[f"cv_{name}_error_krw_year"]
        sure = max(beyond, 0.0) / metrics["cv_total_mean_krw_year"]
        bound = settings.largest_total_bias if name == TOTAL else settings.largest_component_bias
        if sure > bound:
            label = COMPONENT_NAMES[name]
            reasons.append(
                Words(
                    ko=f"{label.ko}의 편향이 자체 오차를 제외하고 평균 총소득의 {sure:.3f}, 허용 {bound}",
                    en=f"{label.en} is off by {sure:.3f} of mean total income beyond its error, allowed {bound}",
                )
            )
    return reasons


def unfit_for(
    month: Month, *, trained_month: Month, trained_on: Mapping[str, Month], references: Mapping[str, Month]
) -> str | None:
    """Why a model may not serve a month (no look-ahead); None: it may.

    Args:
        month: to be scored.
        trained_month: the month whose households and scores it was trained on.
        trained_on: yearly dataset → month it described.
        references: yearly dataset → month that the contract's rule takes for `month`.
    """
    if trained_month > month:
        return f"it was trained on {trained_month}, after {month}"
    for name, reference in sorted(trained_on.items()):
        if name in references and reference > references[name]:
            return f"it was trained on the {name} of {reference}, and {month} uses that of {references[name]}"
    return None


def due(
    month: Month,
    *,
    trained_month: Month,
    trained_on: Mapping[str, Month],
    references: Mapping[str, Month],
    restated: Sequence[str],
    stability: Mapping[str, float],
    settings: ModelSettings,
) -> tuple[str, ...]:
    """Why a new training is due; nothing: it is not.

    Args:
        month: to be scored.
        trained_month: of the model in use.
        trained_on: yearly dataset → month it described.
        references: the same for `month`.
        restated: datasets that it was trained on and that were delivered anew.
        stability: population stability index of inputs and scores by name.
        settings: limits.
    """
    age = month.index - trained_month.index
    reasons = []
    if age > settings.largest_age_months:
        reasons.append(f"the model is {age} months old")
    reasons += [f"there is a newer {n}: {references[n]}" for n, r in sorted(trained_on.items()) if references.get(n, r) > r]
    reasons += [f"the {name} was restated" for name in restated]
    reasons += [
        f"{name} has moved: population stability index {value:.2f}"
        for name, value in sorted(stability.items())
        if value > settings.largest_instability
    ]
    return tuple(reasons)
