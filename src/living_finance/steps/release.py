"""From gold to a candidate release, and from a candidate to the public: no formulas, and no way round the gate."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from pathlib import Path

import pandas as pd
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from living_finance.config import QualitySettings
from living_finance.contracts import gold, publications, silver
from living_finance.contracts import releases as r
from living_finance.contracts import row_files as rf
from living_finance.errors import ConfigurationError, DisclosureFound, ReleaseDamaged, ReleaseNotReady
from living_finance.methods.census import five_year_band
from living_finance.methods.joins import join_to_one
from living_finance.methods.quantiles import weighted_quantiles
from living_finance.months import Month
from living_finance.places.boundaries import DONG_CODE_PROPERTY, dong_boundaries, feature_collection, named_boundaries
from living_finance.release import contributors, row_texts, structural, utility
from living_finance.release import package as texts
from living_finance.release import rows as row_files
from living_finance.release.evidence_page import evidence_page
from living_finance.release.protect import Earlier, protect
from living_finance.release.rules import ReleaseRules, read_rules
from living_finance.release.verify import Released, SignedZeros, verify
from living_finance.release.verify_findings import FINDING_COLUMNS
from living_finance.release.verify_publications import verify_publications
from living_finance.release.verify_row_links import EarlierRows, verify_rows_over_releases
from living_finance.release.verify_rows import verify_rows
from living_finance.release.verify_scope import looked_at
from living_finance.reports.public import public_map, public_report
from living_finance.steps.quality import refuse_failed
from living_finance.steps.regions import region_names
from living_finance.storage import releases as files
from living_finance.storage.ledger import Ledger
from living_finance.storage.warehouse import Warehouse

_CLASSES = {f"_p{20 * rank}": rank / 5 for rank in range(1, 5)}


def load_rules(file: Traversable) -> ReleaseRules:
    """Rules of a channel.

    Raises:
        ConfigurationError: no such file, or not valid.
    """
    if not file.is_file():
        raise ConfigurationError(f"No release rules {file}.", remedy="name conf/release/portal.yaml or campus.yaml by --rules")
    return read_rules(file.read_text(encoding="utf-8"), name=str(file))


def cells_of_month(warehouse: Warehouse, month: Month, rules: ReleaseRules) -> dict[str, pd.DataFrame]:
    """Cells of the published crosses with the facts about their contributors, by gold table."""
    statistics, breakdown, person_statistics, households, persons = (
        warehouse.read(table, base_month=month.date)
        for table in (
            gold.HOUSEHOLD_STATISTICS,
            gold.HOUSEHOLD_BREAKDOWN,
            gold.PERSON_STATISTICS,
            gold.HOUSEHOLD,
            silver.PLACED_PERSON,
        )
    )
    counted = households.where(F.col("weight") > 0)
    limits = weighted_quantiles(counted, value=gold.TOTAL_INCOME, weight="weight", sets=[()], probabilities=_CLASSES).first()
    household_rows = contributors.household_rows(households, class_limits=list(limits or ()))
    sources = {
        "household_statistics": (household_rows, statistics),
        "household_breakdown": (household_rows, contributors.wide_breakdown(breakdown, statistics=statistics)),
        "person_statistics": (contributors.person_rows(persons), person_statistics),
    }
    cells: dict[str, pd.DataFrame] = {}
    for source in sorted({table.source for table in rules.tables}):
        crosses = sorted(
            {
                (level, cross.dimensions)
                for t in rules.tables
                if t.source == source
                for cross in t.crosses
                for level in cross.levels
            }
        )
        rows, published = sources[source]
        facts = contributors.cell_facts(rows, statistics=published, source=source, crosses=crosses)
        cells[source] = facts.toPandas()  # ok: cells, not people: at most some 400,000 for the whole city
    return cells


@dataclass(frozen=True)
class Inside:
    """What only the warehouse has of a month, and what of it the gate holds a release against."""

    cells: Mapping[str, pd.DataFrame]
    """Of `cells_of_month`."""
    buildings: pd.DataFrame | None
    """Of `buildings_of_month`; None: not at hand."""
    register: pd.DataFrame
    """Of `register_of_month`."""


def inside_of_month(warehouse: Warehouse, month: Month, rules: ReleaseRules) -> Inside:
    """For `verify_release`."""
    return Inside(
        cells_of_month(warehouse, month, rules), buildings_of_month(warehouse, month), register_of_month(warehouse, month)
    )


@dataclass(frozen=True)
class RowSources:
    """What row-level files are made from: the month's rows of silver and gold."""

    households: DataFrame
    members: DataFrame
    persons: DataFrame
    register: pd.DataFrame
    """Of `register_of_month`."""


def row_sources(warehouse: Warehouse, month: Month) -> RowSources:
    """The month's people and households."""
    households, members, persons = (
        warehouse.read(table, base_month=month.date) for table in (gold.HOUSEHOLD, gold.HOUSEHOLD_MEMBER, silver.PLACED_PERSON)
    )
    return RowSources(households, members, persons, register_of_month(warehouse, month))


def register_of_month(warehouse: Warehouse, month: Month) -> pd.DataFrame:
    """Registered residents, as the public can look them up: dong_code, sex, age_band (five years, 0 to 80), persons."""
    register = warehouse.read(silver.REGISTER_PERSON, base_month=month.date)
    band = five_year_band(F.col("age")).cast("string")
    counted = register.groupBy("dong_code", "sex", band.alias("age_band")).agg(F.count(F.lit(1)).alias("persons"))
    return counted.toPandas()  # ok: dongs × sexes × ages


def buildings_of_month(warehouse: Warehouse, month: Month) -> pd.DataFrame:
    """The public building register of the month: output_area_id, dong_code and dwelling_type of which there is a building."""
    types = structural.building_types(warehouse.read(silver.BUILDING, base_month=month.date))
    return types.toPandas()  # ok: output areas × dwelling types, some 150,000 at most


def make_release(
    warehouse: Warehouse, *, month: Month, rules: ReleaseRules, store: files.ReleaseStore, quality: QualitySettings
) -> Path:
    """Make, attack and register a candidate.

    Returns:
        The folder of the candidate.

    Raises:
        MissingInput: the month is not finished.
        QualityInsufficient: it fails a blocking check.
        DisclosureFound: an attack succeeds; the findings are kept, the candidate is not.
    """
    ledger = Ledger(warehouse.root)
    ledger.finished(month)
    refuse_failed(ledger, month, quality)
    cells = cells_of_month(warehouse, month, rules)
    regions = region_names(warehouse, month)
    return release_cells(
        cells,
        regions=regions,
        month=month,
        rules=rules,
        store=store,
        people=row_sources(warehouse, month) if rules.rows else None,
        buildings=buildings_of_month(warehouse, month),
        data_sha256=data_hash(warehouse, month),
        ledger=ledger,
        model=ledger.model_versions(month),
    )


def data_hash(warehouse: Warehouse, month: Month) -> str:
    """SHA-256 over the month's rows of the gold tables that releases are made from, in whatever order they stand."""
    lines = []
    for name, table in sorted(r.SOURCES.items()):
        columns = [F.col(column.name) for column in table.columns]
        row = F.xxhash64(*columns, *(column.isNull() for column in columns)).cast("decimal(20,0)")
        rows = warehouse.read(table, base_month=month.date).select(row.alias("row"))
        total = rows.agg(F.count(F.lit(1)), F.sum("row")).first()
        lines.append(f"{name} {' '.join(map(str, total or ()))}\n")
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def release_cells(
    cells: Mapping[str, pd.DataFrame],
    *,
    regions: pd.DataFrame,
    month: Month,
    rules: ReleaseRules,
    store: files.ReleaseStore,
    people: RowSources | None = None,
    buildings: pd.DataFrame | None = None,
    data_sha256: str = "",
    ledger: Ledger | None = None,
    model: str = "unknown",
) -> Path:
    """As `make_release`, from cells.

    Args:
        cells: of `cells_of_month`.
        regions: one row per dong, district and the city with code and names.
        month: of the cells.
        rules: of the channel.
        store: where releases are.
        people: for row-level files; None: none are made.
        buildings: of `buildings_of_month`, evidence of structural zeros; None: there is none.
        data_sha256: of `data_hash`; empty: releases of the month with the same version number count as of the same data.
        ledger: of the warehouse that the cells are from; notes the candidate where no edited register reaches.
        model: versions of the models that the figures rest on.
    """
    name = texts.ReleaseName(rules.channel, month, store.next_version(rules.channel, str(month)))
    history = _history(store)
    edition = store.edition(str(month), data_sha256)
    evidence = None
    if buildings is not None:
        places = pd.concat([frame[["region_level", "region_code"]] for frame in cells.values()]).drop_duplicates()
        evidence = structural.without_buildings(buildings, regions=places)
    protected = protect(cells, rules=rules, earlier=_earlier(history, name, edition), evidence=evidence)
    sources = {table.name: table.source for table in rules.tables}
    tables = {
        table: texts.release_table(frame, source=sources[table], regions=regions, name=name)
        for table, frame in protected.tables.items()
    }
    has_list = any(rules.with_evidence(table.source) for table in rules.tables)
    zeros = {r.STRUCTURAL_ZEROS: texts.zero_table(protected.zeros, regions=regions, name=name)} if has_list else {}
    findings = pd.DataFrame()
    with store.staging(rules.channel, name.release_id) as folder:
        written = files.write_tables(folder, tables | zeros)
        loss: dict[str, pd.DataFrame] = {}
        followed: dict[str, int] = {}
        if people is not None:
            for file in rf.ROW_FILES.values():
                before = _rows_before(people.households.sparkSession, store, file)
                made = _row_file(file, people, withheld=protected.tables, rules=rules, name=name, regions=regions, earlier=before)
                followed[file.name] = made.followed
                written |= files.write_rows(folder, file.name, made.rows, file.columns)
                loss[file.name] = made.loss.toPandas()  # ok: one row per district
        package = texts.datapackage(sources, files=written, rules=rules, name=name, edition=edition, model=model)
        about = texts.about_of(package)
        shown = files.write_publications(folder, _publications(tables, about=about, regions=regions, rules=rules))
        stored = files.read_release(folder)
        candidate = Released(
            name.release_id, name.channel, name.base_month, name.version, stored.tables, stored.zeros, edition=edition
        )
        findings = pd.concat(
            [
                verify(candidate, history=history, signed=signed_zeros(rules), facts=cells, buildings=buildings),
                verify_rows(
                    stored.rows, month=name.base_month, tables=stored.tables, register=people.register if people else None
                ),
                verify_rows_over_releases(stored.rows, month=name.base_month, earlier=_row_history(store, stored)),
                _found(verify_publications(stored.publications, tables=stored.tables, about=about)),
            ],
            ignore_index=True,
        )
        if len(findings):
            kept = store.refuse(rules.channel, name.release_id, findings)
            raise _disclosure(findings, f"findings: {kept}")
        useful = utility.utility(protected.tables, protected.counts, cells, rules=rules)
        package["resources"] += texts.publication_resources(shown)
        about_rows, readme_of_rows = None, ""
        if rules.rows and people is not None:
            package["resources"] += row_texts.resources(written, rules=rules.rows)
            about_rows = row_texts.evidence(loss, followed, rules=rules.rows)
            readme_of_rows = row_texts.readme(loss, followed, rules=rules.rows)
        documents = {
            "datapackage.json": texts.datapackage_text(package),
            "dcat.jsonld": texts.dcat(package, rules=rules, name=name),
            "README.md": texts.readme(
                {t: len(f) for t, f in (tables | zeros).items()},
                protected.counts,
                rules=rules,
                name=name,
                useful=utility.lines(useful),
                edition=edition,
                beside=list(shown),
            )
            + readme_of_rows,
        }
        hashes = {path: sha256 for path, (_, sha256) in (written | shown).items()}
        documents["evidence/evidence.json"] = texts.evidence(
            protected.counts,
            findings,
            looked=looked_at(candidate, history=history, rows=stored.rows, publications=stored.publications, has_facts=True),
            rules=rules,
            name=name,
            history=[f"{h.channel} {h.release_id}" for h in history],
            useful=useful,
            hashes=hashes | {path: hashlib.sha256(text.encode()).hexdigest() for path, text in documents.items()},
            rows=about_rows,
            made_by=None if ledger is None else ledger.made_by(month),
        )
        documents["evidence/evidence.html"] = evidence_page(documents["evidence/evidence.json"])
        files.write_documents(folder, documents)
    store.register(
        channel=name.channel,
        release_id=name.release_id,
        month=str(month),
        version=name.version,
        state=r.CANDIDATE,
        data_sha256=data_sha256,
        edition=edition,
    )
    folder = store.folder(name.channel, name.release_id)
    if ledger is not None:
        ledger.note_release(name.channel, name.release_id, checksums_sha256=files.check_hashes(folder))
    return folder


def _publications(
    tables: Mapping[str, pd.DataFrame], *, about: publications.About, regions: pd.DataFrame, rules: ReleaseRules
) -> dict[str, str]:
    """Report and maps of a release, from its own tables: path in the package → text."""
    if not rules.publications:
        return {}
    outlines = feature_collection(named_boundaries(regions, dong_boundaries(), code_property=DONG_CODE_PROPERTY))["features"]
    of_level = {level: [f for f in outlines if f["properties"]["region_level"] == level] for level in ("dong", "gu")}
    made: dict[str, str] = {}
    if "report" in rules.publications:
        made |= {
            path: public_report(tables, about=about, language=language, boundaries=of_level)
            for path, language in publications.REPORTS.items()
        }
    if "maps" in rules.publications:
        made |= {
            path: public_map(tables, about=about, level=level, boundaries=of_level[level])
            for path, level in publications.MAPS.items()
        }
    return made


def _found(findings: list[tuple[str, str, str, str]]) -> pd.DataFrame:
    return pd.DataFrame(sorted(set(findings)), columns=list(FINDING_COLUMNS))


def summary(folder: Path) -> list[str]:
    """What a release is good for, from its evidence pack: two lines per table at most."""
    useful = json.loads((folder / "evidence" / "evidence.json").read_text(encoding="utf-8"))["유용성"]
    text = []
    for table in dict.fromkeys(row["table"] for row in useful["published"]):
        of_table = [row for row in useful["published"] if row["table"] == table and row["level"] in ("dong", "output_area")]
        shares = ", ".join(
            f"{row['level']} × {row['ways']}: {row['share']:.1%}" + (f" ({row['zeros']:.1%} zeros)" if row["zeros"] else "")
            for row in of_table
        )
        text.append(f"published   {table}: {shares}")
        known = [row for row in useful["dongs"] if row["table"] == table and row["mean_error"] is not None]
        if known:
            error, rank = max(row["mean_error"] for row in known), min(row["rank_correlation"] for row in known)
            text.append(f"dongs       {table}: mean error of a figure at most {error:.2%}, rank correlation at least {rank:.4f}")
    return text


def _row_file(
    file: rf.RowFile,
    people: RowSources,
    *,
    withheld: Mapping[str, pd.DataFrame],
    rules: ReleaseRules,
    name: texts.ReleaseName,
    regions: pd.DataFrame,
    earlier: Sequence[DataFrame],
) -> row_files.Deidentified:
    """One row-level file, month and names of regions added."""
    if rules.rows is None:
        raise ConfigurationError("The channel has no rules for row-level files.", remedy="see `rows` in conf/release/campus.yaml")
    forbidden = row_files.withheld_cells(withheld, file)
    if file is rf.HOUSEHOLDS:
        records = row_files.household_records(people.households, rules=rules.rows, release=name.release_id)
    else:
        records = row_files.person_records(people.persons, people.members, rules=rules.rows, release=name.release_id)
        scarce = row_files.scarce_in_register(people.register, k=rules.rows.k.value)
        forbidden = pd.concat([forbidden, scarce], ignore_index=True)
    made = row_files.deidentified(records, file=file, rules=rules.rows, forbidden=forbidden, earlier=earlier)
    names = regions[["region_code", "region_name_ko", "region_name_en"]].fillna("")
    safe = names.assign(**{column: names[column].map(texts.neutralised) for column in names.columns})
    known = made.rows.sparkSession.createDataFrame(safe)
    rows = join_to_one(made.rows, known, on=["region_code"], how="inner", broadcast=True)
    return row_files.Deidentified(rows.withColumn("base_month", F.lit(name.base_month)), made.loss, made.followed)


def _rows_before(spark: SparkSession, store: files.ReleaseStore, file: rf.RowFile) -> list[DataFrame]:
    """A row-level file of everything that was ever public."""
    found = (files.released_rows(spark, store.folder(line.channel, line.id), file.name) for line in store.ever_public())
    return [frame for frame in found if frame is not None]


def verify_release(
    folder: Path,
    *,
    rules: ReleaseRules,
    inside: Inside | None = None,
) -> pd.DataFrame:
    """Attack a release on disk together with everything its register knows to have been public.

    Args:
        folder: of the release, of any name; month and channel are those of its data package. Without the register of
            `has_history` it is attacked alone.
        rules: for the signed zeros only.
        inside: of `inside_of_month`; None: public data only.

    Returns:
        Findings: attack, table, cell, what.

    Raises:
        ReleaseDamaged: files are not those of `checksums.sha256`, that is not the registered one, or the register is not whole.
    """
    found = files.check_hashes(folder)
    stored = files.read_release(folder)
    history = _history(_store_of(folder)) if has_history(folder) else []
    line = _store_of(folder).current().get((stored.channel, stored.release_id)) if has_history(folder) else None
    if line is not None and line.checksums_sha256 != found:
        raise ReleaseDamaged(f"{folder} is not what was registered.", remedy="make the release again")
    cells, buildings, register = (inside.cells, inside.buildings, inside.register) if inside else (None, None, None)
    cells_found = verify(_released(stored), history=history, signed=signed_zeros(rules), facts=cells, buildings=buildings)
    rows_found = verify_rows(stored.rows, month=stored.month, tables=stored.tables, register=register)
    about = texts.about_of(files.read_package(folder) or {})
    read_found = _found(verify_publications(stored.publications, tables=stored.tables, about=about))
    before = _row_history(_store_of(folder), stored) if has_history(folder) else iter(())
    followed = verify_rows_over_releases(stored.rows, month=stored.month, earlier=before)
    return pd.concat([cells_found, rows_found, followed, read_found], ignore_index=True)


def has_history(folder: Path) -> bool:
    """Whether a register of releases lies two folders up: without it nobody knows what was public before."""
    return _store_of(folder).has_register


def approve(
    folder: Path, *, approver: str, rules: ReleaseRules, inside: Inside | None = None, ledger: Ledger | None = None
) -> None:
    """Sign a candidate and publish it, unless a file has changed since it was made or an attack succeeds.

    Args:
        folder: `<releases>/<channel>/<release_id>`.
        approver: who answers for it.
        rules: for the signed zeros only.
        inside: of `inside_of_month`; None: the attacks know what the public knows.
        ledger: of the warehouse that it was made from; None: files are compared with the register alone, which whoever can
            write there can have changed.

    Raises:
        ReleaseDamaged, DisclosureFound, ReleaseNotReady.
        ConfigurationError: the approver is no name.
    """
    if not files.is_a_name(approver):
        raise ConfigurationError("The approver is no name.", remedy="name who answers for it: letters, spaces, signs of names")
    with _store_of(folder).approving():
        _approve(folder, approver=approver, rules=rules, inside=inside, ledger=ledger)


def _approve(folder: Path, *, approver: str, rules: ReleaseRules, inside: Inside | None, ledger: Ledger | None) -> None:
    store = _store_of(folder)
    channel, release_id = folder.resolve().parent.name, folder.resolve().name
    line, about = store.current().get((channel, release_id)), files.about_release(folder)
    is_registered = line is not None and (about.channel, about.release_id, about.edition) == (channel, release_id, line.edition)
    if line is None or not is_registered:
        raise ReleaseDamaged(f"{folder} is not what was registered.", remedy="make the release again")
    store.check(line, remedy="make the release again")
    if ledger is not None and ledger.release_hash(channel, release_id) != line.checksums_sha256:
        raise ReleaseDamaged(f"{folder} is not what was made from this warehouse.", remedy="make the release again")
    if line.state not in (r.CANDIDATE, r.APPROVED):
        raise ReleaseNotReady(f"{channel} {release_id} is {line.state}.", remedy="only a candidate can be approved")
    findings = verify_release(folder, rules=rules, inside=inside)
    if len(findings):
        raise _disclosure(findings, "make the release again")
    store.check(line, remedy="keep others from the folder while it is attacked; make the release again")
    named = {"channel": channel, "release_id": release_id, "month": line.month, "version": line.version}
    store.register(**named, state=r.APPROVED, approver=approver)  # type: ignore[arg-type]
    files.write_approval(folder, approver=approver)
    store.register(**named, state=r.IS_PUBLIC, approver=approver)  # type: ignore[arg-type]


def withdraw(folder: Path, *, reason: str, approver: str) -> None:
    """Note that a release is no longer offered; later releases are still checked against it.

    Raises:
        ReleaseNotReady: it is not registered, or withdrawn already.
    """
    store = _store_of(folder)
    channel, release_id = folder.resolve().parent.name, folder.resolve().name
    line = store.current().get((channel, release_id))
    month, version = (line.month, line.version) if line else ("", 0)
    store.register(
        channel=channel, release_id=release_id, month=month, version=version, state=r.WITHDRAWN, approver=approver, reason=reason
    )


def _disclosure(findings: pd.DataFrame, remedy: str) -> DisclosureFound:
    counts = findings.groupby("attack").size()
    what = ", ".join(f"{attack} {number}" for attack, number in counts.items())
    return DisclosureFound(f"{len(findings)} findings ({what}); nothing leaves.", remedy=remedy)


def signed_zeros(rules: ReleaseRules) -> SignedZeros:
    """Zeros that the owners of the rules have signed, as the gate takes them."""
    zeros = rules.structural_zeros
    return SignedZeros(
        frozenset((zero.dimension, zero.category) for zero in zeros if zero.category is not None),
        frozenset((zero.dimension, zero.evidence) for zero in zeros if zero.evidence is not None),
    )


def _store_of(folder: Path) -> files.ReleaseStore:
    return files.ReleaseStore(folder.resolve().parent.parent)


def _released(stored: files.StoredRelease) -> Released:
    return Released(
        stored.release_id,
        stored.channel,
        stored.month,
        stored.version,
        stored.tables,
        stored.zeros,
        stored.oddities,
        stored.edition,
    )


def _history(store: files.ReleaseStore) -> list[Released]:
    """Everything ever public, withdrawn releases too.

    Raises:
        ReleaseDamaged: a file is not what was public: with less before it, a candidate would be attacked with less.
    """
    found = []
    for line in store.ever_public():
        store.check(line, remedy="restore it from a copy of the releases: it was public")
        found.append(_released(files.read_release(store.folder(line.channel, line.id), with_csv=False)))
    return found


def _row_history(store: files.ReleaseStore, candidate: files.StoredRelease) -> Iterator[EarlierRows]:
    """Row-level files and tables of everything ever public but the candidate itself, one release at a time."""
    for line in store.ever_public() if candidate.rows else ():
        if (line.channel, line.id) != (candidate.channel, candidate.release_id):
            found = files.read_release(store.folder(line.channel, line.id), with_csv=False, with_rows=True)
            yield EarlierRows(f"{line.channel} {line.id}", found.month, found.rows, found.tables)


def _earlier(history: list[Released], name: texts.ReleaseName, edition: int) -> Earlier | None:
    """Patterns of the month's earlier releases, any channel."""
    made = Released(name.release_id, name.channel, name.base_month, name.version, {}, edition=edition)
    patterns: dict[str, list[pd.DataFrame]] = {}
    for release in history:
        if release.month != name.base_month:
            continue
        for table, frame in release.tables.items():
            patterns.setdefault(table, []).append(frame.assign(is_same_data=made.is_of_same_data(release)))
    return Earlier({table: pd.concat(parts, ignore_index=True) for table, parts in patterns.items()}) if patterns else None
