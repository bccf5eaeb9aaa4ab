"""Train, promote and choose the income model: registry, gate and rooms wired together."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

from living_finance.config import Settings
from living_finance.contracts import STORED_TABLES
from living_finance.contracts.language import Words
from living_finance.errors import MissingInput, ModelRefused
from living_finance.income.diagnostics import diagnose, plots, sample_profile
from living_finance.income.drift import input_shares, score_shares, stability
from living_finance.income.estimate import IncomeEvidence
from living_finance.income.gate import Verdict, compare, due, unfit_for, verdict
from living_finance.income.model import FORMAT, IncomeModel
from living_finance.income.model_card import model_card
from living_finance.income.sensitivity import rank_sensitivity
from living_finance.income.serving import expected_income, made_up_households
from living_finance.income.training import Fold, TrainingData, assess, folds_from_json, folds_to_json, train_income
from living_finance.months import Month
from living_finance.registry import CHALLENGER, CHAMPION, ModelVersion, Registry, Training, champion_of

YEARLY = ("benchmarks", "census", "survey")
_DATASETS = {
    "benchmarks": Words(ko="공표 통계", en="Published figures"),
    "census": Words(ko="인구주택총조사", en="Census"),
    "survey": Words(ko="검증 조사", en="Validation survey"),
}
_CHAMPION_THEN, _COMPARED = "champion_then", "compared_with"
_CONTENTS = "deliveries"
_TRAINED_WITH = "trained_with"
_FORMAT = f"format {FORMAT}"


@dataclass(frozen=True)
class Circumstances:
    """What a training or a choice happens in."""

    settings: Settings
    root: str
    month: Month
    references: Mapping[str, Month]
    """Yearly dataset → month that the contract's rule takes for `month`."""
    data_versions: Mapping[str, int]
    code_version: str
    contents: Mapping[str, str] = field(default_factory=dict)
    """Dataset → fingerprint of the delivery that counts."""
    before: Mapping[Month, Mapping[str, Any]] = field(default_factory=dict)
    """The newest month scored before `month` → what `Chosen.facts` said of it; none: it is the first."""

    @property
    def trained_with(self) -> str:
        """Settings that a model has in it."""
        return f"draws {self.settings.income.draws}, seed {self.settings.seed}, {_FORMAT}"


@dataclass(frozen=True)
class Chosen:
    """The model that scores a month."""

    version: ModelVersion
    model: IncomeModel
    why: str
    due: tuple[str, ...] = ()
    """Why a new training is due."""
    gate: str = ""
    """What the gate said, where a model was trained."""
    stability: Mapping[str, float] = field(default_factory=dict)
    scores_then: Mapping[str, float] = field(default_factory=dict)

    def facts(self) -> dict[str, Any]:
        """For the ledger."""
        return {
            "number": self.version.number,
            "trained_month": str(self.version.month),
            "is_promoted": self.version.is_promoted,
            "why": self.why,
            "due": list(self.due),
            "gate": self.gate,
            "stability": {name: round(value, 6) for name, value in sorted(self.stability.items())},
        }


def choose_model(where: Circumstances, evidence: IncomeEvidence, *, fingerprint: str) -> Chosen:
    """The model for a month: the one that scored it before, else the champion that may serve it, else a new one.

    A month made again from the same input by the same code takes the version that it had, whatever was promoted since.

    Args:
        where: settings, store, month.
        evidence: of the month.
        fingerprint: of the month's income step.

    Raises:
        ModelRefused: the version that the settings name may not serve the month.
    """
    registry = Registry(where.settings.tracking, where.root)
    versions = registry.versions()
    now = input_shares(evidence.households)
    current, why = _current(where, versions, fingerprint)
    reasons: tuple[str, ...] = ()
    moved: dict[str, float] = {}
    gate = ""
    if current is not None:
        moved = _stability(registry, current, now)
        reasons = due(
            where.month,
            trained_month=current.month,
            trained_on=current.references,
            references=where.references,
            restated=_restated(where, current),
            stability=moved | _scores_before(where, current),
            settings=where.settings.models,
        )
    if current is None or (why == "champion" and reasons and where.settings.models.train_when_due):
        trained, said = train_version(where, evidence, registry=registry, champion=current, now=now)
        gate = said.text
        if said.passes:
            with registry.promoting():
                before, present = champion_of(versions), champion_of(registry.versions())
                if present is None or (before is not None and before.number == present.number):
                    registry.promote(trained, is_newest=present is None or trained.month >= present.month)
                else:
                    gate = f"{gate}; not promoted: version {present.number} became champion meanwhile"
        if said.passes or current is None:
            current, why, reasons = _again(registry, trained), "trained", () if said.passes else (said.text,)
            moved = _stability(registry, current, now)
    registry.note_scored(current, where.month, fingerprint)
    return Chosen(
        version=current,
        model=IncomeModel.from_json(registry.content(current)),
        why=why,
        due=reasons,
        gate=gate,
        stability=moved,
        scores_then=registry.shares(current)["scores"],
    )


def train_version(
    where: Circumstances,
    evidence: IncomeEvidence,
    *,
    registry: Registry,
    champion: ModelVersion | None,
    now: Mapping[str, Any],
) -> tuple[ModelVersion, Verdict]:
    """Train on a month, hold it against the champion where districts were left out, register it as challenger.

    Args:
        where: settings, store, month.
        evidence: of the month.
        registry: of the store.
        champion: to compare with; None, or one stored in another format or with areas of another kind left out: the stated
            bounds count.
        now: `input_shares` of the month.
    """
    settings = where.settings
    data = evidence.training()
    champion = _comparable(champion)
    folds = folds_from_json(registry.folds(champion)) if champion else ()
    trained = train_income(data, draws=settings.income.draws, seed=settings.seed, folds=settings.models.folds)
    metrics = trained.assessment.metrics()
    is_compared = champion is not None and bool(trained.folds) and _has_alike_areas(folds, data)
    if champion is not None and is_compared:
        other = assess(data, folds, otherwise=IncomeModel.from_json(registry.content(champion)))
        found = compare(trained.assessment, other)
        metrics["gate_champion_loss"] = other.loss
        metrics["gate_loss_difference"] = found.difference
        metrics["gate_loss_difference_error"] = found.error
    said = verdict(metrics, settings=settings.models, has_champion=is_compared)
    example = made_up_households()
    point = trained.model.draws[0]
    alternatives = rank_sensitivity(data, point, seed=settings.seed)
    metrics |= {f"sensitivity_{other.key}_{name}": move for other in alternatives for name, move in other.moves.items()}
    training = Training(
        month=where.month,
        references={name: str(month) for name, month in sorted(where.references.items())},
        content=trained.model.to_json(),
        folds=folds_to_json(trained.folds),
        content_version=trained.model.version(),
        card=model_card(trained, facts=_card_facts(where), verdict=said.words, alternatives=alternatives),
        plots=plots(diagnose(trained.model, data), trained.assessment),
        parameters={
            "draws": settings.income.draws,
            "folds": len(trained.folds),
            "surveyed_households": len(data.survey.keys),
            "sampled_households": data.city.weight.size,
            "labour_level": point.earnings.labour.level,
            "labour_slope": point.earnings.labour.slope,
            "noise_share": point.earnings.labour.noise_share,
            "business_level": point.earnings.business.level,
            "business_slope": point.earnings.business.slope,
            "business_move": data.move_of_business.by,
            "business_move_error": data.move_of_business.error,
        },
        metrics=metrics,
        shares={"inputs": now, "scores": score_shares(sample_profile(point, data.city))},
        notes=(*trained.model.notes, *evidence.refused, *evidence.notes),
        # Read as a resource: on a cluster the package is a zip.
        code=resources.files("living_finance.steps").joinpath("income_pyfunc.py").read_text(encoding="utf-8"),
        example=example,
        answer=expected_income(trained.model, example),
        data_versions=where.data_versions,
        code_version=where.code_version,
        seed=settings.seed,
        tags={
            _TRAINED_WITH: where.trained_with,
            _CHAMPION_THEN: str(champion.number) if champion else "",
            _COMPARED: str(champion.number) if champion and is_compared else "stated bounds",
            _CONTENTS: json.dumps(dict(where.contents), sort_keys=True),
            "gate": said.text,
        },
    )
    version = registry.register(training)
    registry.set_alias(version, CHALLENGER)
    return version, said


def promote(settings: Settings, *, root: str, number: int | None) -> ModelVersion:
    """Make a challenger the champion, if the gate lets it.

    Args:
        settings: the gate's limits, the store.
        root: folder of the warehouse.
        number: of the version; None: the challenger.

    Raises:
        MissingInput: there is no such version.
        ModelRefused: the gate refuses it, it was held against another than the present champion, or this code cannot read it.
    """
    registry = Registry(settings.tracking, root)
    with registry.promoting():
        return _promoted(registry, settings, number)


def _promoted(registry: Registry, settings: Settings, number: int | None) -> ModelVersion:
    versions = registry.versions()
    wanted = next((v for v in versions if (v.number == number if number else CHALLENGER in v.aliases)), None)
    if wanted is None:
        raise MissingInput(
            "There is no such version to promote.", remedy="living-finance train; living-finance models lists them"
        )
    if CHAMPION in wanted.aliases:
        return wanted
    if _comparable(wanted) is None:
        raise ModelRefused(
            f"Version {wanted.number} is stored in a format that this code does not read.", remedy="living-finance train"
        )
    champion = _comparable(champion_of(versions))
    then = wanted.tags.get(_CHAMPION_THEN, "")
    if champion is not None and not wanted.is_promoted and then != str(champion.number):
        raise ModelRefused(
            f"Version {wanted.number} was held against {then or 'none'}; the champion is version {champion.number}.",
            remedy="train again: a challenger is compared with the champion of its time",
        )
    said = verdict(registry.metrics(wanted), settings=settings.models, has_champion=wanted.tags.get(_COMPARED, "").isdigit())
    if not said.passes:
        raise ModelRefused(f"Version {wanted.number} stays a challenger: {said.text}.", remedy="the champion goes on serving")
    registry.promote(wanted, is_newest=True)
    return _again(registry, wanted)


def _current(where: Circumstances, versions: list[ModelVersion], fingerprint: str) -> tuple[ModelVersion | None, str]:
    """The version to use without training, and why."""
    pinned = where.settings.income.version
    if pinned:
        found = next((v for v in versions if v.number == pinned), None)
        reason = "there is none of that number" if found is None else _unfit(where, found)
        if found is None or reason is not None:
            raise ModelRefused(
                f"Version {pinned} may not serve {where.month}: {reason}.", remedy="set income.version to another, or to 0"
            )
        return found, "named by income.version"
    before = [v for v in versions if v.scored(where.month) == fingerprint]
    if before:
        return before[-1], "scored this month before"
    fit = [v for v in versions if v.is_promoted and v.tags.get(_TRAINED_WITH) == where.trained_with and _unfit(where, v) is None]
    best = max(fit, key=lambda v: (CHAMPION in v.aliases, v.month, v.number), default=None)
    return best, "champion"


def _comparable(champion: ModelVersion | None) -> ModelVersion | None:
    """The champion, unless it is stored in another format: then it cannot be read, and the stated bounds count."""
    return champion if champion is not None and champion.tags.get(_TRAINED_WITH, "").endswith(_FORMAT) else None


def _has_alike_areas(folds: Sequence[Fold], data: TrainingData) -> bool:
    """Whether a model's folds left out areas of the kind (districts, dongs) that the data are compared in.

    If not, no fold would match, and its full fit be judged where it has been.
    """
    surveyed, _ = data.areas
    return {len(area) for fold in folds for area in fold.left_out} == {len(area) for area in surveyed.tolist()}


def _restated(where: Circumstances, version: ModelVersion) -> tuple[str, ...]:
    """Datasets that the version was trained on and that count in another delivery now."""
    then = json.loads(version.tags.get(_CONTENTS, "{}"))
    same = {name for name, month in version.references.items() if where.references.get(name) == month}
    same |= set(then) - set(YEARLY) if version.month == where.month else set()
    return tuple(sorted(name for name in same if name in then and then[name] != where.contents.get(name, then[name])))


def _unfit(where: Circumstances, version: ModelVersion) -> str | None:
    return unfit_for(where.month, trained_month=version.month, trained_on=version.references, references=where.references)


def _stability(registry: Registry, version: ModelVersion, now: Mapping[str, Any]) -> dict[str, float]:
    then = registry.shares(version)["inputs"]
    return {name: stability(now[name], then[name]) for name in sorted(now) if name in then}


def _scores_before(where: Circumstances, version: ModelVersion) -> dict[str, float]:
    """How far scores of the month before had moved under the same model: a month's own are known only after it is scored."""
    return {
        f"score of {month}": facts["stability"]["score"]
        for month, facts in where.before.items()
        if month < where.month and facts["number"] == version.number and "score" in facts["stability"]
    }


def _again(registry: Registry, version: ModelVersion) -> ModelVersion:
    return next(v for v in registry.versions() if v.number == version.number)


def _card_facts(where: Circumstances) -> list[Words]:
    settings = where.settings
    datasets = {name: _DATASETS[name] for name in sorted(where.references)}
    tables = {name: STORED_TABLES[name] for name in sorted(where.data_versions)}
    return [
        Words(ko=f"기준월: {where.month}", en=f"Month: {where.month}"),
        *(
            Words(ko=f"{label.ko}: {where.references[name]} 기준", en=f"{label.en}: of {where.references[name]}")
            for name, label in datasets.items()
        ),
        Words(ko=f"코드: {where.code_version}", en=f"Code: {where.code_version}"),
        Words(
            ko=f"설정: 추출 {settings.income.draws}벌, 난수 시드 {settings.seed}, 저장 형식 {FORMAT}",
            en=f"Settings: {where.trained_with}",
        ),
        *(
            Words(
                ko=f"{table.label_ko}: {name}, Delta 버전 {where.data_versions[name]}",
                en=f"{table.label_en}: {name}, Delta version {where.data_versions[name]}",
            )
            for name, table in tables.items()
        ),
    ]
