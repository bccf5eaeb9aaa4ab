"""One analysis on the tables of a warehouse."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from living_finance.analyses.registry import find
from living_finance.analyses.result import KEY
from living_finance.config import AnalysisSettings
from living_finance.errors import ConfigurationError, MissingInput
from living_finance.months import Month
from living_finance.storage.warehouse import Warehouse

_REGION_DIGITS = (2, 5, 7)


def analyse(
    store: Warehouse, name: str, *, month: Month, region: str, settings: AnalysisSettings, against: Month | None = None
) -> DataFrame:
    """The result of an analysis, in the order of its key.

    Args:
        store: where the month has been made.
        name: of the analysis.
        month: looked at.
        region: code of the city (2 digits), a district (5) or a dong (7).
        settings: proxies and limits.
        against: the month compared with, for analyses of change; the year before unless given.

    Returns:
        analyses.result.RESULT.

    Raises:
        ConfigurationError: unknown analysis, or a region that is no code.
        MissingInput: a month has not been made.
    """
    analysis = find(name)
    if not region.isdigit() or len(region) not in _REGION_DIGITS:
        raise ConfigurationError(f"{region!r} is not a region.", remedy="give a code of 2, 5 or 7 digits, for instance 11140")
    earlier = (against or month.plus(-12)) if analysis.compares_months else None
    months = [month] if earlier is None else [month, earlier]
    frames = {
        argument: store.read(table).where(F.col("base_month").isin(*(m.date for m in months)))
        for argument, table in analysis.tables.items()
    }
    first = next(iter(frames.values()))
    for needed in months:
        if first.where(F.col("base_month") == F.lit(needed.date)).isEmpty():
            raise MissingInput(f"{needed} has not been made.", remedy="run it first; `living-finance status` lists what there is")
    extra: dict[str, object] = {"settings": settings} if analysis.takes_settings else {}
    if earlier is not None:
        extra |= {"month": month, "against": earlier}
    return analysis.function(**frames, region=region, **extra).orderBy(*KEY)
