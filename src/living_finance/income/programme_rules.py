"""Who may receive a benefit programme in a month, as `conf/programmes.yaml` says it; unknown keys are errors."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from living_finance.errors import ConfigurationError
from living_finance.months import Month

CHILD_AGE = 15
"""Children are below it."""
_MONTHS = 12
_REMEDY = "see conf/programmes.yaml"


class Rule(BaseModel):
    """Who receives a programme."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    among: Literal["all", "adults", "elderly", "children"]
    under: Annotated[int | None, Field(gt=0, lt=CHILD_AGE, description="age that children are below")] = None
    by_income: Annotated[bool, Field(description="those with least receive")] = False
    share: Annotated[
        float, Field(gt=0, le=1, description="of those whom age and income allow, who fulfil what no source shows")
    ] = 1.0
    below_share_of_median: Annotated[float | None, Field(gt=0, description="of the median: need from which nobody receives")] = (
        None
    )
    median_krw_month: Annotated[float | None, Field(gt=0, description="standard median income of one person")] = None
    together: Annotated[bool, Field(description="a household receives as one")] = False
    source: Annotated[str, Field(min_length=1)]

    @model_validator(mode="after")
    def _is_whole(self) -> Rule:
        if self.under is not None and self.among != "children":
            raise ValueError("`under` is an age of children")
        if (self.below_share_of_median is None) != (self.median_krw_month is None):
            raise ValueError("below_share_of_median and median_krw_month go together")
        return self

    @property
    def below_krw_year(self) -> float | None:
        """Need from which nobody receives, where the law says it; those below receive by chance, as owned things decide."""
        if self.below_share_of_median is None or self.median_krw_month is None:
            return None
        return self.below_share_of_median * self.median_krw_month * _MONTHS


OTHER = Rule(among="all", source="not in conf/programmes.yaml")
"""A programme without a rule: anybody."""

_Entries = TypeAdapter(
    dict[
        Annotated[str, BeforeValidator(str), Field(pattern="^[1-9][0-9]{3}(0[1-9]|1[0-2])$")],
        Annotated[dict[str, Rule], Field(min_length=1)],
    ]
)


@dataclass(frozen=True)
class MonthRules:
    """Rules that hold in a month."""

    month: Month
    since: Month
    """First month of the entry that counts."""
    rules: Mapping[str, Rule] = field(default_factory=dict)

    @property
    def content(self) -> dict[str, Any]:
        """What incomes depend on, for a fingerprint."""
        return {"since": str(self.since), **{name: rule.model_dump(exclude={"source"}) for name, rule in self.rules.items()}}

    def notes(self, paid: Collection[str]) -> tuple[str, ...]:
        """What the file does not say of a month in which these programmes were paid."""
        said = []
        if self.since.year < self.month.year:
            said.append(
                f"급여 기준: {self.month.year}년 기준이 없어 {self.since} 기준을 적용; "
                f"benefit programmes go by the rules since {self.since}: conf/programmes.yaml has none of {self.month.year}"
            )
        said += [
            f"급여 기준: {name}의 기준이 없음; anybody may receive {name}: conf/programmes.yaml has no rule of it"
            for name in sorted(set(paid) - self.rules.keys())
        ]
        return tuple(said)


def rules_of_month(text: str, *, name: str, month: Month) -> MonthRules:
    """The newest entry not later than a month.

    Args:
        text: content of a YAML file: first month → programme → rule.
        name: of the file, for messages.
        month: the month.

    Raises:
        ConfigurationError: not YAML, an unknown or missing key, a value out of range, no entry for the month.
    """
    try:
        entries = _Entries.validate_python(yaml.safe_load(text))
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'file'}: {e['msg']}" for e in error.errors())
        raise ConfigurationError(f"{name} is not valid: {problems}.", remedy=_REMEDY) from error
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{name} is not YAML.", remedy=_REMEDY) from error
    since = max((first for first in map(Month.parse, entries) if first <= month), default=None)
    if since is None:
        first = min(entries, default="no month")
        raise ConfigurationError(
            f"{name} has no rules of benefit programmes for {month}: they begin with {first}.",
            remedy=f"add an entry for {month} or earlier, with its source, or make later months",
        )
    return MonthRules(month, since, entries[str(since)])
