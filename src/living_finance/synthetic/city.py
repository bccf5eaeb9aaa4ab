"""The synthetic city: plan on the driver, one Spark task per district, manifests at the end."""

from __future__ import annotations

import datetime as dt
import json
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyspark.sql import SparkSession

from living_finance.contracts import deliveries as contract
from living_finance.errors import ConfigurationError
from living_finance.months import Month
from living_finance.synthetic.deliveries import FileFormat, WrittenFile, write_table
from living_finance.synthetic.district import Made, Order, make_district, reference_months
from living_finance.synthetic.plan import CityPlan, make_plan
from living_finance.synthetic.references import benchmarks

_SUPPLIERS = {"bureau": "credit bureau", "city": "city", "benchmarks": "statistics office", "regions": "statistics office"}
_AGREEMENT = {"id": "2018-1", "from": "201809", "to": "202109", "scope": "residents_and_workers"}
_REGIONS_FROM = "201001"
_CENSUS_MONTH = 11


@dataclass(frozen=True)
class SynthesisReport:
    """What was made."""

    rows: dict[str, int]
    """Delivered rows by dataset and table over all months, for instance `bureau/persons`."""
    seconds: float
    households: int
    """In the first month, group quarters included."""
    persons: int
    """In the first month."""


def synthesize(
    spark: SparkSession,
    *,
    out: Path,
    truth: Path,
    gu_codes: Sequence[str] | None,
    fraction: float,
    months: Sequence[Month],
    seed: int,
    file_format: FileFormat = "csv",
    on_progress: Callable[[str], None] | None = None,
) -> SynthesisReport:
    """Make conforming deliveries of a city and, apart, the truth about it.

    The city begins in the first of `months` (its epoch: the same month of a request that begins earlier is another
    city) and runs through the months between, also those not asked for. The same arguments give the same bytes.
    `out` and `truth` must be reachable under the same path by every worker.

    Args:
        spark: session; one task per district.
        out: landing folder; deliveries of the same name in it are replaced.
        truth: folder for the truth, not inside `out`.
        gu_codes: districts; None for all.
        fraction: share of the real number of households.
        months: base months to deliver.
        seed: of every draw.
        file_format: of the data files.
        on_progress: told of each stage.

    Raises:
        ConfigurationError: unknown district, fraction out of range, no months, truth inside the landing folder.
    """
    began = time.perf_counter()
    tell = on_progress or (lambda _: None)
    wanted = tuple(sorted(set(months)))
    if not wanted:
        raise ConfigurationError("No months to make.", remedy="name one as YYYYMM, or a range FIRST..LAST")
    out, truth = out.resolve(), truth.resolve()
    if truth.is_relative_to(out):
        raise ConfigurationError("Truth would lie inside the deliveries.", remedy="choose another --truth folder")
    plan = make_plan(gu_codes=gu_codes, fraction=fraction, seed=seed)
    order = Order(
        plan=plan,
        out=out,
        truth=truth,
        months=wanted,
        reference_months=reference_months(wanted),
        seed=seed,
        file_format=file_format,
    )
    households = sum(district.households for district in plan.districts)
    tell(f"plan: {len(plan.districts)} districts, {len(plan.dongs)} dongs, {households:,} households")
    _clear(order)
    made = _make_districts(spark, order)
    tell("districts written")
    files = [file for part in made for file in part.files]
    files.append(_write_regions(order))
    for year in order.reference_months:
        table = benchmarks([part.sums[year] for part in made], year=year, seed=seed)
        folder = out / "benchmarks" / str(year)
        files.append(write_table(folder, "benchmarks-00", table, declared=contract.BENCHMARKS, file_format=file_format))
    _write_manifests(out, files)
    _write_parameters(order, fraction=fraction)
    rows: dict[str, int] = {}
    for file in files:
        name = f"{file.delivery.split('/')[0]}/{file.table}"
        rows[name] = rows.get(name, 0) + file.rows
    tell("manifests written")
    return SynthesisReport(
        rows=rows,
        seconds=time.perf_counter() - began,
        households=sum(part.households for part in made),
        persons=sum(part.persons for part in made),
    )


def _make_districts(spark: SparkSession, order: Order) -> list[Made]:
    """One task per district, the largest first; results (names and sums, no rows) in the plan's order."""
    districts = order.plan.districts
    _ = order.plan.workplaces  # computed once, here, and sent along
    largest_first = sorted(range(len(districts)), key=lambda position: -districts[position].households)
    shared = spark.sparkContext.broadcast(order)
    tasks = spark.sparkContext.parallelize(largest_first, len(largest_first))
    reports = tasks.map(lambda position: make_district(shared.value, position)).collect()  # ok: one small report per district
    made = dict(zip(largest_first, reports, strict=True))
    shared.destroy()
    return [made[position] for position in range(len(districts))]


def _clear(order: Order) -> None:
    """Remove deliveries and truth of the same name, so that no file stays that no manifest lists."""
    years = [str(year) for year in order.reference_months]
    names = [f"{dataset}/{month}" for dataset in ("bureau", "city") for month in order.months]
    names += [f"{dataset}/{year}" for dataset in ("census", "survey", "benchmarks") for year in years]
    names.append(f"regions/{_REGIONS_FROM}")
    for name in names:
        shutil.rmtree(order.out / name, ignore_errors=True)
    for month in order.months:
        for file in order.truth.glob(f"*/{month}*.parquet"):
            file.unlink()
    order.truth.mkdir(parents=True, exist_ok=True)


def _write_regions(order: Order) -> WrittenFile:
    rows = [
        {
            "gu_code": district.code,
            "gu_name_en": district.name_en,
            "dong_code": dong.code,
            "dong_name_en": order.plan.names[dong.code][0],
            "gu_name_ko": district.name_ko,
            "dong_name_ko": order.plan.names[dong.code][1],
            "mois_code": None,
            "valid_from": _REGIONS_FROM,
            "valid_to": None,
        }
        for district in order.plan.districts
        for dong in district.dongs
    ]
    folder = order.out / "regions" / _REGIONS_FROM
    return write_table(folder, "regions-00", pa.Table.from_pylist(rows), declared=contract.REGIONS, file_format=order.file_format)


def _write_manifests(out: Path, files: Sequence[WrittenFile]) -> None:
    deliveries: dict[str, list[WrittenFile]] = {}
    for file in files:
        deliveries.setdefault(file.delivery, []).append(file)
    for delivery, listed in deliveries.items():
        dataset, period = delivery.split("/")
        month = Month.parse(period) if len(period) == 6 else Month(int(period), _CENSUS_MONTH)
        manifest = {
            "schema_version": 1,
            "dataset": dataset,
            "base_month": str(month),
            "delivery": 0,
            "as_of": (month.plus(1).date + dt.timedelta(days=11)).isoformat(),
            "supplier": _SUPPLIERS.get(dataset, "statistics office"),
            "agreement": _AGREEMENT if dataset == "bureau" else None,
            "encoding": "utf-8",
            "files": [
                {"name": file.name, "table": file.table, "rows": file.rows, "sha256": file.sha256}
                for file in sorted(listed, key=lambda file: (file.table, file.name))
            ],
        }
        path = out / delivery / "manifest.json"
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(manifest, ensure_ascii=False, indent=1), encoding="utf-8")
        partial.replace(path)


def _write_parameters(order: Order, *, fraction: float) -> None:
    plan: CityPlan = order.plan
    facts: dict[str, Any] = {
        "seed": order.seed,
        "fraction": fraction,
        "epoch": str(order.months[0]),
        "months": [str(month) for month in order.months],
        "reference_months": {str(year): str(month) for year, month in order.reference_months.items()},
        "is_whole_city": plan.is_whole_city,
        "dongs": {
            dong.code: {
                name: value
                for name, value in asdict(dong).items()
                if name in ("ordinal", "output_areas", "income_effect", "age_shift", "price_effect", "male_share")
            }
            | {"households": dong.households}
            for dong in plan.dongs
        },
    }
    text = json.dumps(facts, ensure_ascii=False, indent=1, sort_keys=True)
    (order.truth / "parameters.json").write_text(text + "\n", encoding="utf-8")
