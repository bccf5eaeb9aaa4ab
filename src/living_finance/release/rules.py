"""What a channel publishes and how it is protected, as `conf/release/*.yaml` says it; unknown keys are errors."""

from __future__ import annotations

from typing import Annotated, Generic, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from living_finance.contracts import codes
from living_finance.contracts import releases as r
from living_finance.contracts.row_files import ROW_FILES
from living_finance.errors import ConfigurationError

_Value = TypeVar("_Value", int, float, bool, tuple[int, ...])
_Text = Annotated[str, Field(min_length=1)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Sourced(_Section, Generic[_Value]):
    """A parameter, who answers for it, and where it comes from."""

    value: _Value
    owner: _Text
    source: _Text


class Parameters(_Section):
    """Limits and roundings. 0 as a rounding base leaves values as they are."""

    threshold_households: Annotated[Sourced[int], Field(description="fewest unweighted households of a published cell")]
    threshold_persons: Annotated[Sourced[int], Field(description="fewest persons of a published cell")]
    dominance_percent: Annotated[Sourced[float], Field(description="p of the p% rule on every sum and mean")]
    group_disclosure: Annotated[Sourced[bool], Field(description="withhold zeros, and a category that holds everybody")]
    rounding_protects: Annotated[
        Sourced[bool], Field(description="a published count is known to its rounding interval only; false: exactly")
    ]
    count_base: Sourced[int]
    krw_year_base: Sourced[int]
    krw_month_base: Sourced[int]
    krw_base: Sourced[int]
    share_base: Sourced[float]
    ratio_base: Sourced[float]
    share_steps: Annotated[
        Sourced[tuple[int, ...]], Field(description="a share of few is rounded to the share base times one of these, ascending")
    ]
    secondary_movement: Annotated[
        Sourced[float], Field(description="how far a count that is withheld for others' sake must be able to be off")
    ]
    district_price: Annotated[
        Sourced[float], Field(description="withholding a district's count costs so many times more than one inside of it")
    ]

    @model_validator(mode="after")
    def _steps_rise_from_one(self) -> Parameters:
        steps = self.share_steps.value
        if steps[:1] != (1,) or list(steps) != sorted(set(steps)):
            raise ValueError("share_steps must rise from 1")
        return self

    def threshold(self, population: str) -> int:
        """Of `households` or `persons`."""
        return (self.threshold_households if population == "households" else self.threshold_persons).value

    def base_of(self, unit: str) -> float:
        """Rounding base of a unit."""
        bases: dict[str, float] = {
            "KRW/year": self.krw_year_base.value,
            "KRW/month": self.krw_month_base.value,
            "KRW": self.krw_base.value,
            "share": self.share_base.value,
            "ratio": self.ratio_base.value,
        }
        return bases.get(unit, self.count_base.value)


class Cross(_Section):
    """Cells over some dimensions; no dimension: everybody."""

    dimensions: tuple[str, ...]
    levels: tuple[Literal["city", "gu", "dong", "output_area"], ...]
    statistics: tuple[str, ...] = Field(default=(), description="empty: all of the source")


class TableRules(_Section):
    """One table of the release."""

    name: Annotated[str, Field(pattern="^[a-z][a-z_]*$")]
    source: Literal["household_statistics", "household_breakdown", "person_statistics"]
    crosses: tuple[Cross, ...]

    @model_validator(mode="after")
    def _is_closed(self) -> TableRules:
        """Every margin of a cross is there, so that all its links to published figures are known."""
        crosses = {frozenset(cross.dimensions): cross for cross in self.crosses}
        for dimensions, cross in crosses.items():
            if unknown := set(dimensions) - set(r.DIMENSIONS[self.source]):
                raise ValueError(f"{self.name}: {self.source} has no dimension {sorted(unknown)}")
            if unknown := set(cross.statistics) - r.STATISTICS[self.source].keys():
                raise ValueError(f"{self.name}: {self.source} has no statistic {sorted(unknown)}")
            for dimension in dimensions:
                margin = crosses.get(dimensions - {dimension})
                if margin is None or not set(cross.levels) <= set(margin.levels):
                    raise ValueError(f"{self.name}: {sorted(dimensions)} without its margin over {dimension}")
            deepest = max(map(r.LEVELS.index, cross.levels))
            if tuple(sorted(cross.levels, key=r.LEVELS.index)) != r.LEVELS[: deepest + 1]:
                raise ValueError(f"{self.name}: levels of {sorted(dimensions)} leave one out above {r.LEVELS[deepest]}")
        return self

    def statistics(self, dimensions: frozenset[str]) -> tuple[str, ...]:
        """Published statistics of a cross, in the order of the source."""
        cross = next(cross for cross in self.crosses if frozenset(cross.dimensions) == dimensions)
        return tuple(name for name in r.STATISTICS[self.source] if not cross.statistics or name in cross.statistics)


class SourcedScope(_Section):
    """As `Sourced`, of a choice."""

    value: Literal["district", "city"]
    owner: _Text
    source: _Text


class SourcedAccess(_Section):
    """As `Sourced`, of who may have a release: a code of the EU's access-right authority."""

    value: Literal["PUBLIC", "RESTRICTED"]
    owner: _Text
    source: _Text


class Terms(_Section):
    """Under which terms a release may be used, who answers for them, and where they come from."""

    ko: Annotated[tuple[_Text, ...], Field(min_length=1)]
    en: Annotated[tuple[_Text, ...], Field(min_length=1)]
    owner: _Text
    source: _Text

    @model_validator(mode="after")
    def _say_the_same(self) -> Terms:
        if len(self.ko) != len(self.en):
            raise ValueError("each term stands in Korean and in English")
        return self


class RowRules(_Section):
    """How the row-level files are made (`release.rows`)."""

    k: Annotated[Sourced[int], Field(description="fewest rows that share all categories")]
    distinct_classes: Annotated[Sourced[int], Field(description="l: fewest different classes of income, and of debt, among them")]
    largest_suppressed_share: Annotated[
        Sourced[float], Field(description="rows that may be left out instead of generalising more")
    ]
    scope: Annotated[SourcedScope, Field(description="district: each chooses its own levels; city: one choice")]
    household_share: Annotated[Sourced[float], Field(description="of the households; their members are in no other file")]
    person_share: Annotated[Sourced[float], Field(description="of the bureau residents; their households are in no other file")]
    sampling_seed: Sourced[int]
    krw_year_base: Sourced[int]
    krw_month_base: Sourced[int]
    krw_base: Sourced[int]
    tail_share: Annotated[Sourced[float], Field(description="rows at each end whose amounts are replaced by the limit")]
    importance: Annotated[dict[str, Sourced[float]], Field(description="of each quasi-identifier: what its generalisation costs")]

    @model_validator(mode="after")
    def _nobody_is_in_both_files(self) -> RowRules:
        shares = (self.household_share.value, self.person_share.value)
        if min(shares) <= 0 or sum(shares) > 1:
            raise ValueError("household_share and person_share must be above 0 and add up to 1 at most: nobody is in both files")
        if not 0 <= self.tail_share.value < 0.5 or not 0 <= self.largest_suppressed_share.value < 1:
            raise ValueError("tail_share must be below 0.5 and largest_suppressed_share below 1")
        wanted = {name for file in ROW_FILES.values() for name in file.quasi_names}
        if self.importance.keys() != wanted:
            raise ValueError(f"importance must name {', '.join(sorted(wanted))}")
        return self

    def base_of(self, unit: str) -> int:
        """Rounding base of a unit."""
        return {"KRW/year": self.krw_year_base, "KRW/month": self.krw_month_base, "KRW": self.krw_base}[unit].value


class StructuralZero(_Section):
    """Zeros that tell nothing, because nobody can be there: of a whole category, or of regions that public evidence names."""

    source: Literal["household_statistics", "household_breakdown", "person_statistics"]
    dimension: _Text
    category: _Text | None = None
    evidence: Annotated[
        Literal["buildings"] | None, Field(description="of every category, where the month's building register has none of it")
    ] = None
    reason: _Text
    owner: _Text

    @model_validator(mode="after")
    def _names_a_category_or_evidence(self) -> StructuralZero:
        if (self.category is None) == (self.evidence is None):
            raise ValueError("a structural zero names a category or evidence")
        if self.dimension not in r.DIMENSIONS[self.source]:
            raise ValueError(f"{self.source} has no dimension {self.dimension}")
        if self.evidence is not None and r.EVIDENCE_OF[self.evidence] != self.dimension:
            raise ValueError(f"{self.evidence} are evidence of {r.EVIDENCE_OF[self.evidence]} only")
        return self


class ReleaseRules(_Section):
    """All rules of a channel."""

    channel: Literal["portal", "campus"]
    licence: _Text
    licence_url: _Text
    publisher_ko: _Text
    publisher_en: _Text
    department_ko: _Text
    department_en: _Text
    contact: Annotated[str, Field(pattern="^(mailto:|https://).+", description="of the department")]
    access_url: Annotated[str, Field(pattern="^https://.+", description="where the channel's files can be had")]
    download_url: Annotated[str, Field(pattern="^(https://.+/)?$", description="folder of all releases; empty: not known")] = ""
    spatial_ko: _Text
    spatial_en: _Text
    spatial_url: Annotated[str, Field(pattern="^https://.+", description="of the place, in a public list of places")]
    access: SourcedAccess
    terms: Terms
    parameters: Parameters
    tables: tuple[TableRules, ...]
    publications: Annotated[
        tuple[Literal["report", "maps"], ...], Field(description="made from the release's own tables and attacked like them")
    ] = ()
    structural_zeros: tuple[StructuralZero, ...] = ()
    rows: RowRules | None = None

    @model_validator(mode="after")
    def _rows_are_not_for_everybody(self) -> ReleaseRules:
        if self.rows is not None and self.access.value == "PUBLIC":
            raise ValueError("row-level files leave where access is RESTRICTED only")
        return self

    def signed_categories(self, source: str, dimension: str) -> frozenset[str]:
        """Categories that are structural zeros in every region."""
        of = (z.category for z in self.structural_zeros if (z.source, z.dimension) == (source, dimension))
        return frozenset(category for category in of if category is not None)

    def with_evidence(self, source: str) -> tuple[str, ...]:
        """Dimensions of a gold table whose zeros are structural where evidence says so."""
        return tuple(z.dimension for z in self.structural_zeros if z.source == source and z.evidence is not None)


def read_rules(text: str, *, name: str) -> ReleaseRules:
    """Rules from the text of a YAML file.

    Args:
        text: the file's content.
        name: of the file, for messages.

    Raises:
        ConfigurationError: not YAML, unknown or missing key, a cross without its margins.
    """
    try:
        return ReleaseRules.model_validate(yaml.safe_load(text))
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'file'}: {e['msg']}" for e in error.errors())
        raise ConfigurationError(f"{name} is not valid: {problems}.", remedy="see conf/release/portal.yaml") from error
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{name} is not YAML.", remedy="see conf/release/portal.yaml") from error


CATEGORIES: dict[str, tuple[str, ...]] = {
    "head_sex": codes.SEX.codes,
    "sex": codes.SEX.codes,
    "head_age_band": tuple(str(age) for age in range(10, 90, 10)),
    "age_band": tuple(str(age) for age in range(15, 85, 5)),
    "household_type": codes.HOUSEHOLD_TYPE.codes,
    "dwelling_type": codes.DWELLING_TYPE.codes,
    "tenure": codes.TENURE.codes,
    "household_size": (*map(str, range(1, 7)), "7_plus"),
    "income_class": tuple(map(str, range(1, 6))),
}
"""Categories that a release lists for every region, whether or not anybody is in them: a missing row would be a zero."""
