"""The gate: attacks on a candidate release together with everything released before it.

Written apart from the protection and sharing no code with it: it reads what an outsider reads (and, where the warehouse
is at hand, what only insiders know) and says what it could work out. Its limits are its own; no configuration lowers them.

| attack | here |
|---|---|
| P1 | small counts, printed or implied by share × base |
| P2 | whole less parts: nested regions, categories of a total |
| P3, P4 | bounds of withheld counts over all links of all tables and channels of the month; persons are whole numbers |
| P5 | figures finer than their rounding base; counts that links make exact in two months; mean × count of two months; bounds over
| | all links of two months together |
| P6 | versions and channels of one month with different patterns; bounds over all links of two versions together |
| P7 | regions that overlap or changed: parts that disagree with the whole, no whole at all, slivers |
| P8 | dominance of means, and of what whole less parts leaves of them (warehouse) |
| P9 | zeros beside signed ones, lists of zeros that are false, groups that hold everybody or share one amount, missing rows |
| P10 | row-like tables: unique combinations, identifiers |
| P11 | bounds again with totals and empty types of the public registers; cells that the internal views mask (warehouse) |
| P12 | the same figure with different noise in two tables or releases |
| P13 | hidden columns, unknown statistics, codes or names, row order, file names, values behind a withheld status, formulas |

P11 with the internal product: what leaves is the rounding of a figure that the internal views show, in cells they show, so
that both together say no more than the internal views alone.

Source: Hundepool et al., ESS Handbook on Statistical Disclosure Control, 2nd edition; decision 0030.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from living_finance.contracts import codes
from living_finance.contracts import releases as r
from living_finance.release.bounds import implied
from living_finance.release.verify_findings import FINDING_COLUMNS, Finding, Limits, dimensions_of, findings_of, share_base
from living_finance.release.verify_insiders import with_warehouse
from living_finance.release.verify_links import (
    EXACT,
    disagreeing,
    half_width,
    is_multiple,
    key_numbers,
    links_between,
    pinned,
    places_of,
)
from living_finance.release.verify_population import (
    Population,
    Vouched,
    count_rows,
    register_totals,
    together,
    widths_asked,
)
from living_finance.release.verify_texts import formulas
from living_finance.release.verify_zeros import accepted, is_among, list_findings, public_zeros


@dataclass(frozen=True)
class Released:
    """One release as its reader sees it."""

    release_id: str
    channel: str
    month: str
    """YYYY-MM"""
    version: int
    tables: Mapping[str, pd.DataFrame]
    """Table → rows with all columns that its files have."""
    zeros: pd.DataFrame = field(default_factory=pd.DataFrame)
    """Zeros it prints because of evidence, with all columns that its file has; none: no list."""
    oddities: tuple[str, ...] = ()
    """What storage found beside the tables: files nobody listed, CSV and Parquet that differ, metadata."""
    edition: int = 0
    """Number of the data that the figures were made from, in their month and over all channels; 0: it does not say."""

    def is_of_same_data(self, other: Released) -> bool:
        """Whether true figures are the same; by version numbers where one of the two does not say its data."""
        if self.edition and other.edition:
            return (self.month, self.edition) == (other.month, other.edition)
        return (self.month, self.version) == (other.month, other.version)

    def is_another(self, other: Released) -> bool:
        return (self.release_id, self.channel) != (other.release_id, other.channel)


@dataclass(frozen=True)
class SignedZeros:
    """Zeros that say nothing, signed by an owner."""

    categories: frozenset[tuple[str, str]] = frozenset()
    """(dimension, category): in every region."""
    evidence: frozenset[tuple[str, str]] = frozenset()
    """(dimension, kind of evidence): in the regions that a release lists."""


def verify(
    candidate: Released,
    *,
    history: Sequence[Released] = (),
    signed: SignedZeros | None = None,
    facts: Mapping[str, pd.DataFrame] | None = None,
    buildings: pd.DataFrame | None = None,
    limits: Limits | None = None,
) -> pd.DataFrame:
    """Attack a candidate.

    Args:
        candidate: to be released.
        history: everything ever released, withdrawn releases too.
        signed: zeros that may be printed.
        facts: gold table → cells with contributors; None: only what the public has.
        buildings: output_area_id, dong_code and dwelling_type of which the month's register has a building; with `facts`.
        limits: for tests.

    Returns:
        One row per finding: attack, table, cell, what. Empty: nothing found.
    """
    limits, signed = limits or Limits(), signed or SignedZeros()
    tables = {name: frame for name, frame in candidate.tables.items() if _is_long(frame)}
    listed = accepted(candidate.zeros, signed.evidence)
    public = listed if buildings is None or facts is None else pd.concat([listed, public_zeros(buildings, facts)])
    same = [other for other in history if candidate.is_another(other) and candidate.is_of_same_data(other)]
    known = pd.concat([public, *(accepted(other.zeros, signed.evidence) for other in same)])
    own = _populations([candidate, *same], limits, signed, known)
    totals = register_totals(facts) if facts is not None else None

    def without_programs() -> list[Finding]:
        found = [
            *_metadata(candidate),
            *_row_like(candidate, limits),
            *(found for name, frame in tables.items() for found in _printed(name, frame, limits, signed, listed)),
            *list_findings(
                candidate.zeros,
                month=candidate.month,
                tables=tables,
                evidence=signed.evidence,
                facts=facts,
                buildings=buildings,
            ),
            *_versions(candidate, history),
            *_changed_regions(candidate, history, limits),
            *_totals_of_months(candidate, history, limits),
        ]
        if facts is not None:
            for name, frame in tables.items():
                of_same_data = [
                    other.tables[name] for other in history if candidate.is_of_same_data(other) and name in other.tables
                ]
                elsewhere = pd.concat(of_same_data, ignore_index=True) if of_same_data else None
                found += with_warehouse(name, frame, facts, limits, elsewhere)
        return found

    beside = []
    for attack, others in _beside(candidate, history):
        zeros = pd.concat([accepted(other.zeros, signed.evidence) for other in others])
        beside.append((attack, others[0], _populations(others, limits, signed, zeros)))
    with ThreadPoolExecutor(max_workers=1) as pool:  # programs leave the interpreter to it most of the time
        rest = pool.submit(without_programs)
        across, vouched = _across(own, beside, limits, totals)
        findings = [*across, *_linked(own, totals, vouched), *rest.result()]
    return pd.DataFrame(sorted(set(findings)), columns=list(FINDING_COLUMNS))


def _is_long(frame: pd.DataFrame) -> bool:
    return set(r.VALUE_COLUMNS) <= set(frame.columns)


def _means(frame: pd.DataFrame) -> list[str]:
    """Statistics that are means."""
    return [name for name in frame["statistic"].unique() if str(name).startswith("mean_")]


def _named(frame: pd.DataFrame, names: Mapping[str, str]) -> pd.DataFrame:
    return frame.set_axis([names.get(str(name), str(name)) for name in frame], axis=1)


def _metadata(candidate: Released) -> Iterator[Finding]:
    """P13."""
    for oddity in candidate.oddities:
        yield "P13", "", "", oddity
    yield from formulas(r.STRUCTURAL_ZEROS, candidate.zeros)
    for name, frame in candidate.tables.items():
        yield from formulas(name, frame)
        if not _is_long(frame):
            continue
        expected = next(
            (
                r.columns_of(s)
                for s in r.SOURCES
                if set(r.columns_of(s)) >= set(dimensions_of(frame)) and dimensions_of(frame) == list(r.dimension_columns(s))
            ),
            None,
        )
        if expected is None or tuple(frame.columns) != expected:
            extra = sorted(set(frame.columns) - set(expected or r.REGION_COLUMNS + r.VALUE_COLUMNS))
            yield "P13", name, "", f"columns are not those of the contract: {', '.join(extra) or 'order'}"
            continue
        source = next(s for s in r.SOURCES if r.columns_of(s) == expected)
        number = key_numbers(frame[list(r.sort_key(source))])
        if (number < 0).any() or (np.diff(number) < 0).any():
            yield "P13", name, "", "rows do not stand in the order of their key"
        yield from findings_of("P12", name, frame[pd.Series(number).duplicated().to_numpy()], "printed twice")
        if (frame["base_month"] != candidate.month).any():
            yield "P13", name, "", "rows of another month"
        units = {statistic.name: statistic.unit for statistic in r.STATISTICS[source].values()}
        yield from findings_of("P13", name, frame[frame["statistic"].map(units) != frame["unit"]], "no statistic of the contract")
        yield from _described(name, frame)
        unknown = ~frame["status"].isin(r.STATUS.codes)
        yield from findings_of("P13", name, frame[unknown], "unknown status")
        is_withheld = frame["status"] != r.PUBLISHED
        yield from findings_of("P13", name, frame[is_withheld & frame["value"].notna()], "a value behind a withheld status")
        yield from findings_of("P13", name, frame[is_withheld & frame["reliability"].notna()], "reliability of a withheld value")
        yield from findings_of("P13", name, frame[~is_withheld & frame["value"].isna()], "published without a value")


_LENGTHS = {"city": 2, "gu": 5, "dong": 7, "output_area": 11}


def _described(name: str, frame: pd.DataFrame) -> Iterator[Finding]:
    """P13, P7: texts that could say more than they name; regions that are in none that is listed."""
    about = frame[["region_level", "region_code", "mois_code", "region_name_ko", "region_name_en"]].drop_duplicates()
    yield from findings_of("P13", name, about[about.duplicated("region_code", keep=False)], "described in more than one way")
    is_code = about["region_code"].str.fullmatch(r"\d+") & about["region_code"].str.len().eq(about["region_level"].map(_LENGTHS))
    yield from findings_of("P7", name, about[~is_code], "no region of the four levels: what it overlaps is not known")
    has_long_code = about["mois_code"].notna() & ~about["mois_code"].fillna("").astype(str).str.fullmatch(r"\d{10}")
    yield from findings_of("P13", name, about[has_long_code], "no code of the interior ministry")
    parent = about["region_code"].str[: r.PARENT_CODE_LENGTH["gu"]]
    for level, length in r.PARENT_CODE_LENGTH.items():
        parent = parent.where(about["region_level"] != level, about["region_code"].str[:length])
    yield from findings_of("P7", name, about[is_code & ~parent.isin(about["region_code"])], "in no region that is listed")
    reliability = frame["reliability"].dropna().unique()
    if unknown := sorted(set(reliability) - set(_RELIABILITY)):
        yield "P13", name, "", f"{len(unknown)} unknown codes of reliability"


_RELIABILITY = codes.RELIABILITY.codes


def _row_like(candidate: Released, limits: Limits) -> Iterator[Finding]:
    """P10."""
    for name, frame in candidate.tables.items():
        if _is_long(frame):
            continue
        for column in frame.columns:
            if column.endswith("_id"):
                yield "P10", name, column, "an identifier"
        quasi = [
            column for column in frame.columns if not column.endswith("_id") and not pd.api.types.is_float_dtype(frame[column])
        ]
        if quasi and len(frame):
            smallest = frame.groupby(quasi, dropna=False).size().min()
            if smallest < limits.anonymity:
                yield "P10", name, "", f"a combination of {', '.join(quasi)} stands for fewer than {limits.anonymity} rows"
        elif not quasi:
            yield "P10", name, "", "rows without categories"


def _is_of_signed(cells: pd.DataFrame, signed: SignedZeros) -> np.ndarray:
    """Cells of a signed category, in which nobody can be."""
    of_category = [(cells[d] == c).to_numpy() for d, c in signed.categories if d in cells]
    return np.asarray(np.logical_or.reduce([np.zeros(len(cells), dtype=bool), *of_category]))


def _printed(name: str, frame: pd.DataFrame, limits: Limits, signed: SignedZeros, listed: pd.DataFrame) -> Iterator[Finding]:
    """P1, P5, P9: what the printed figures say one by one."""
    shown = frame[(frame["status"] == r.PUBLISHED) & frame["value"].notna()]
    base = shown["unit"].map(limits.bases)
    is_coarse = is_multiple(shown["value"].to_numpy(float), base.fillna(1).to_numpy(float))
    yield from findings_of("P5", name, shown[~is_coarse | base.isna()], "finer than its rounding base")
    is_nothing = (shown["value"].abs() < EXACT) & shown["statistic"].isin(_means(shown))
    yield from findings_of("P9", name, shown[is_nothing], "nobody has any of it")
    is_count = shown["unit"].isin(r.CONTRIBUTORS)
    is_zero = is_count & (shown["value"].abs() < EXACT)
    zeros = shown[is_zero]
    is_signed = _is_of_signed(zeros, signed) | is_among(zeros, listed)
    yield from findings_of("P9", name, zeros[~is_signed], "a zero that nobody signed")
    small = is_count & (shown["value"] < limits.threshold) & ~is_zero
    yield from findings_of("P1", name, shown[small], f"fewer than {limits.threshold}")
    keys = ["region_level", "region_code", *dimensions_of(frame)]
    counts = shown[is_count][[*keys, "value", "unit"]].set_axis([*keys, "count", "count_unit"], axis=1)
    shares = (
        shown[shown["unit"] == "share"].merge(counts, on=keys, how="left", validate="many_to_one")
        if not counts.duplicated(keys).any()
        else shown.iloc[:0]
    )
    if len(shares):
        half = share_base(shares["count"].fillna(0).to_numpy(float), limits)
        is_fine = ~is_multiple(shares["value"].to_numpy(float), half) & shares["count"].notna()
        yield from findings_of("P1", name, shares[is_fine], "finer than its count allows: it tells the count")
        yield from findings_of("P1", name, shares[shares["count"].isna()], "a share without its count")
        half = half / 2
        most = shares["count"] + shares["count_unit"].map(limits.bases) / 2
        for value, what in ((shares["value"], "with"), (1 - shares["value"], "without")):
            few = (value + half) * most < limits.threshold
            yield from findings_of(
                "P1", name, shares[few & (value > EXACT)], f"share × base: fewer than {limits.threshold} {what} it"
            )
            yield from findings_of("P9", name, shares[few & (value <= EXACT)], f"next to nobody is {what} it")
    figures = {name: name.partition("_")[2] for name in shown["statistic"].unique() if re.match(r"(p\d+|median)_", str(name))}
    quantiles = shown.loc[shown["statistic"].isin(figures), [*keys, "statistic", "value"]]
    number = key_numbers(quantiles[keys].assign(figure=quantiles["statistic"].map(figures)))
    same = quantiles["value"].reset_index(drop=True).groupby(number).agg(["min", "max", "size", "idxmin"])
    alike = same.loc[(same["size"] > 2) & (same["min"] == same["max"]), "idxmin"]
    yield from findings_of("P9", name, quantiles[keys].iloc[alike], "all quantiles are one amount")
    keyed = frame[frame["unit"].isin(r.CONTRIBUTORS)]
    for _, cross in keyed.groupby([keyed[d] == codes.ALL for d in dimensions_of(frame) if d != r.PLACE]):
        rows = cross.groupby("region_code").size()
        for region in rows.index[rows < rows.max()]:
            yield "P9", name, str(region), "a row is missing: it would be a zero"


def _versions(candidate: Released, history: Sequence[Released]) -> Iterator[Finding]:
    """P6, P12: other releases of the same month."""
    own = _keys_of(candidate)
    for other in history:
        if other.month != candidate.month or not candidate.is_another(other):
            continue
        theirs = _keys_of(other)
        for name in own.keys() & theirs.keys():
            keys = [k for k in own[name].columns if k not in ("value", "status", *r.VALUE_COLUMNS)] + ["statistic"]
            both = own[name].merge(theirs[name], on=keys, suffixes=("", "_other"))
            shows, showed = both["status"] == r.PUBLISHED, both["status_other"] == r.PUBLISHED
            yield from findings_of(
                "P6",
                name,
                both[shows & ~showed & (both["status_other"] != r.UNRELIABLE)],
                f"withheld in {other.channel} {other.release_id}",
            )
            if candidate.is_of_same_data(other):
                is_count = both["unit"].isin(r.CONTRIBUTORS)
                yield from findings_of(
                    "P6", name, both[~shows & showed & is_count], f"shown in {other.channel} {other.release_id}"
                )
                differs = shows & showed & ((both["value"] - both["value_other"]).abs() > 1e-6)
                yield from findings_of("P12", name, both[differs], f"another value in {other.channel} {other.release_id}")


def _keys_of(released: Released) -> dict[str, pd.DataFrame]:
    drop = [*r.REGION_COLUMNS[:1], *r.REGION_COLUMNS[3:], "reliability"]
    return {name: f.drop(columns=[c for c in drop if c in f]) for name, f in released.tables.items() if _is_long(f)}


def _changed_regions(candidate: Released, history: Sequence[Released], limits: Limits) -> Iterator[Finding]:
    """P7 between releases: dongs that came and went, whose difference is known and small.

    Between months people move too, so that only exact figures tell a sliver; within one month an interval does.
    """
    own = _region_totals(candidate)
    for other in history:
        theirs = _region_totals(other)
        for unit, place in own.keys() & theirs.keys():
            ours, before = own[unit, place], theirs[unit, place]
            came, went = ours.loc[ours.index.difference(before.index)], before.loc[before.index.difference(ours.index)]
            for district in sorted(set(came.index.str[:5]) & set(went.index.str[:5])):
                new, old = (v[v.index.str[:5] == district] for v in (came, went))
                slack = sum(
                    half_width(v.to_numpy(float), limits.bases[unit], is_whole=unit == "persons").sum() for v in (new, old)
                )
                sliver = abs(float(new.sum() - old.sum()))
                is_known = sliver - slack > EXACT if other.month == candidate.month else 2 * slack < 1
                if is_known and 0 < sliver + slack < limits.threshold:
                    yield "P7", "", f"gu {district}", f"a sliver of changed dongs against {other.month} {other.release_id}"


def _region_totals(released: Released) -> dict[tuple[str, str], pd.Series[float]]:
    """Totals of dongs by unit and place."""
    totals: dict[tuple[str, str], pd.Series[float]] = {}
    for frame in released.tables.values():
        if not _is_long(frame):
            continue
        at = np.flatnonzero(frame["unit"].isin(r.CONTRIBUTORS) & frame["value"].notna())
        wanted = {"region_level": "dong", **{d: codes.ALL for d in dimensions_of(frame) if d != r.PLACE}}
        for column, code in wanted.items():
            at = at[frame[column].to_numpy(object)[at] == code]
        rows = frame[[c for c in ("unit", "region_code", "value", r.PLACE) if c in frame]].iloc[at]
        place = rows[r.PLACE] if r.PLACE in rows else pd.Series("", index=rows.index)
        for key, part in rows.groupby(["unit", place]):
            totals.setdefault((str(key[0]), str(key[1])), part.groupby("region_code")["value"].first())
    return totals


def _totals_of_months(candidate: Released, history: Sequence[Released], limits: Limits) -> Iterator[Finding]:
    """P5: mean × count known so closely in two months that the difference shows what one household brings."""
    for name, frame in candidate.tables.items():
        if not _is_long(frame):
            continue
        own = _close_totals(frame, limits)
        for other in history if len(own) else ():
            if other.month == candidate.month or name not in other.tables or not _is_long(other.tables[name]):
                continue
            theirs = _close_totals(other.tables[name], limits)
            both = own.merge(theirs, on=["statistic", "region_level", "region_code", *dimensions_of(frame)], suffixes=("", "_x"))
            change = (both["count"] - both["count_x"]).abs()
            is_one = (change > EXACT) & (change < limits.threshold)
            is_close = both["width"] + both["width_x"] < limits.dominance_percent / 100 * both["value"].abs()
            yield from findings_of("P5", name, both[is_one & is_close], f"total of those who came or went since {other.month}")


def _close_totals(frame: pd.DataFrame, limits: Limits) -> pd.DataFrame:
    """Means whose product with their count is known to less than p percent of one average contribution."""
    keys = ["region_level", "region_code", *dimensions_of(frame)]
    shown = frame[frame["value"].notna()]
    counts = shown[shown["unit"].isin(r.CONTRIBUTORS)][[*keys, "value", "unit"]]
    means = shown[shown["statistic"].isin(_means(shown)) & shown["unit"].isin(limits.bases)]
    # A count known to its rounding interval leaves several contributions open: only finer ones are looked at.
    is_fine = ~is_multiple(counts["value"].to_numpy(float), counts["unit"].map(limits.bases).to_numpy(float))
    fine = counts[is_fine].drop_duplicates(keys).pipe(_named, {"value": "count"}).drop(columns="unit")
    both = means[[*keys, "statistic", "value", "unit"]].merge(fine, on=keys, how="inner")
    base = both["unit"].map(limits.bases).to_numpy(float)
    width = np.where(is_multiple(both["value"].to_numpy(float), base), base, 0.0) * both["count"]
    is_close = width < limits.dominance_percent / 100 * both["value"].abs()
    close: pd.DataFrame = both.assign(width=width)[is_close]
    return close


def _populations(
    releases: Sequence[Released], limits: Limits, signed: SignedZeros, public: pd.DataFrame
) -> dict[tuple[str, str], Population]:
    """Counts of releases of the same data by unit and place."""
    rows = pd.concat([count_rows(_long_tables(released)) for released in releases], ignore_index=True)
    if rows.empty:
        return {}
    place = rows[r.PLACE].where(rows["unit"] == "persons", "") if r.PLACE in rows else pd.Series("", index=rows.index)
    return {
        (str(unit), str(where)): _population(cells.drop(columns=r.PLACE, errors="ignore"), str(unit), limits, signed, public)
        for (unit, where), cells in rows.groupby(["unit", place])
    }


def _long_tables(released: Released) -> dict[str, pd.DataFrame]:
    return {name: frame for name, frame in released.tables.items() if _is_long(frame)}


def _population(cells: pd.DataFrame, unit: str, limits: Limits, signed: SignedZeros, public: pd.DataFrame) -> Population:
    dimensions = dimensions_of(cells)
    cells = cells.fillna({d: codes.ALL for d in dimensions if cells[d].hasnans}).reset_index(drop=True)
    number = key_numbers(cells[["region_level", "region_code", *dimensions]])
    printed = pd.DataFrame({"cell": number, "value": cells["value"]}).dropna(subset="value").drop_duplicates()
    twice = cells.loc[printed.index[printed.duplicated("cell")]]
    # shown in any table is shown: the printed row first
    order = np.lexsort((cells["value"].isna(), number))
    cells = cells.iloc[order[np.flatnonzero(np.diff(number[order], prepend=-2))]].reset_index(drop=True)
    value, base = cells["value"].to_numpy(float), limits.bases[unit]
    half = half_width(value, base, is_whole=unit == "persons")
    # Withheld or printed: whoever looks it up knows that nobody is there.
    is_public = is_among(cells, public)
    is_nobody = ((value == 0) & (is_public | _is_of_signed(cells, signed))) | (np.isnan(value) & is_public)
    hidden = np.isnan(value) & ~is_nobody
    value, half = np.where(is_nobody, 0.0, value), np.where(is_nobody, 0.0, half)
    links, kinds = links_between(cells, pd.DataFrame({name: pd.factorize(cells[name], sort=True)[0] for name in dimensions}))
    low, high = np.where(hidden, 0.0, np.maximum(value - half, 0.0)), np.where(hidden, np.inf, value + half)
    return Population(
        cells=cells,
        twice=twice,
        low=low,
        high=high,
        half=half,
        hidden=hidden,
        is_nobody=is_nobody,
        need=widths_asked(cells, hidden, links, low, high, threshold=limits.threshold, has_register=unit == "households"),
        links=links,
        kinds=kinds,
        places=places_of(cells),
    )


def _linked(
    populations: Mapping[tuple[str, str], Population],
    totals: pd.Series[float] | None,
    vouched: Mapping[tuple[str, str], Vouched],
) -> Iterator[Finding]:
    """P2, P3, P4, P5, P7, P11, P12: counts of the month over all links."""
    for (unit, place), population in populations.items():
        known = totals if unit == "households" else None
        yield from _attack_population(population, unit, known, vouched.get((unit, place)))


def _across(
    own: Mapping[tuple[str, str], Population],
    beside: Sequence[tuple[str, Released, Mapping[tuple[str, str], Population]]],
    limits: Limits,
    totals: pd.Series[float] | None,
) -> tuple[list[Finding], dict[tuple[str, str], Vouched]]:
    """P6, P5: tables of several releases together, to a reader who knows how little a count changes between them. And what
    is vouched for of the candidate, so that it need not be asked alone.

    Args:
        own: counts of the candidate.
        beside: attack, the first release and the counts of each set of releases of other data.
        limits: of the gate.
        totals: households of regions that a reader may know.
    """
    findings: list[Finding] = []
    vouched: dict[tuple[str, str], Vouched] = {}
    for attack, other, populations in beside:
        for place, theirs in populations.items():
            if place not in own:
                continue
            known = totals if place[0] == "households" else None
            found, alone = together(own[place], theirs, change=limits.change, known=known)
            if alone is not None:
                vouched[place] = alone
            named = f"{other.month} {other.channel} {other.release_id}"
            if found is None:
                what = f"no counts agree with what is printed there and in {named}: cannot be verified"
                findings.append((attack, "", place[0], what))
            for population, at in found or ():
                what = f"with {named}" if population is own[place] else f"of {named}, with this release"
                what = f"known more closely than the threshold {what}"
                findings.append((attack, str(population.cells["table"].iat[at]), population.name(at), what))
    return findings, vouched


def _beside(candidate: Released, history: Sequence[Released]) -> Iterator[tuple[str, list[Released]]]:
    """Releases of other data that a candidate is read with: other versions of the month, and the nearest months' newest."""
    sets: dict[tuple[str, int], list[Released]] = {}
    for other in sorted(history, key=lambda o: (o.month, o.version)):
        if candidate.is_another(other) and not candidate.is_of_same_data(other):
            sets.setdefault((other.month, other.edition or other.version), []).append(other)
    months = sorted({month for month, _ in sets})
    near = {*[m for m in months if m < candidate.month][-1:], *[m for m in months if m > candidate.month][:1]}
    for (month, number), others in sets.items():
        is_newest = number == max(n for m, n in sets if m == month)
        if month == candidate.month or (month in near and is_newest):
            yield ("P6" if month == candidate.month else "P5"), others


def _attack_population(
    population: Population, unit: str, known: pd.Series[float] | None, vouched: Vouched | None
) -> Iterator[Finding]:
    for table, twice in population.twice.groupby("table"):
        yield from findings_of("P12", str(table), twice.drop(columns=["unit", "status"]), "another value in another table")
    cells, low, high, hidden = population.cells, population.low, population.high, population.hidden
    links, kinds, is_nobody = population.links, population.kinds, population.is_nobody

    def name(at: int) -> Finding:
        return "", str(cells["table"].iat[at]), population.name(at), ""

    for _, at in pinned(links, low, high, hidden):
        yield ("P2", *name(at)[1:3], "whole less parts gives it exactly")
    disagree, attack = disagreeing(links, low, high), {"region": "P7", "category": "P2"}
    for row in disagree:
        at = int(links[row].indices[0])
        yield (attack[kinds[row]], *name(at)[1:3], "parts and whole disagree beyond rounding")

    least, most = implied(links, low, high)
    is_exact = (most - least < 1 - 1e-6) & ~is_nobody & ~hidden & (population.half > 0)
    for at in np.flatnonzero(is_exact).tolist():
        yield ("P5", *name(at)[1:3], "links make it exact, so that months can be differenced")

    label = "P4" if unit == "persons" else "P3"
    if known is not None:  # what nobody can work out with the totals, nobody can without
        told = population.told(known)
        linked = told.narrow(told.low, told.high, told.need, vouched)
        if linked is None:
            yield "P11", "", unit, "printed counts do not agree with the totals: cannot be verified"
        elif not linked.size:
            return
        else:
            for at in linked.tolist():
                yield ("P11", *name(at)[1:3], "known more closely than the threshold to whom knows the totals")
    narrow = population.narrow(low, high, population.need, vouched)
    if narrow is None:
        yield label, "", unit, "no counts agree with what is printed: cannot be verified"
        return
    for at in narrow.tolist():
        yield (label, *name(at)[1:3], "known more closely than the threshold")
