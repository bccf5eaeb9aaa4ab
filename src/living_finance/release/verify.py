"""The gate: attacks on a candidate release together with everything released before it.

Written apart from the protection and sharing no code with it: it reads what an outsider reads (and, where the warehouse
is at hand, what only insiders know) and says what it could work out. Its limits are its own; no configuration lowers them.

| attack | here |
|---|---|
| P1 | small counts, printed or implied by share × base |
| P2 | whole less parts: nested regions, categories of a total |
| P3, P4 | bounds of withheld counts over all links of all tables and channels of the month; persons are whole numbers |
| P5 | figures finer than their rounding base, by which months, averages and counts could be differenced |
| P6 | versions and channels of one month with different patterns |
| P7 | regions that overlap or changed: parts that disagree with the whole, slivers |
| P8 | dominance of means (warehouse) |
| P9 | zeros, groups that hold everybody, rows that are missing |
| P10 | row-like tables: unique combinations, identifiers |
| P11 | cells that the internal views mask (warehouse) |
| P12 | the same figure with different noise in two releases |
| P13 | hidden columns, row order, file names, values behind a withheld status |

Source: Hundepool et al., ESS Handbook on Statistical Disclosure Control, 2nd edition; decision 0030.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy import sparse

from living_finance.contracts import codes
from living_finance.contracts import releases as r
from living_finance.release.bounds import narrow_cells

_EXACT = 1e-9
_DIMENSIONS = frozenset(name for source in r.SOURCES for name in r.dimension_columns(source))
FINDING_COLUMNS = ("attack", "table", "cell", "what")


@dataclass(frozen=True)
class Limits:
    """What a release must keep to, by the privacy rules of the brief. Not configurable."""

    threshold: int = 10
    inside: int = 5
    dominance_percent: float = 10.0
    anonymity: int = 5
    bases: Mapping[str, float] = field(
        default_factory=lambda: {
            "households": 5,
            "persons": 5,
            "KRW/year": 100_000,
            "KRW/month": 10_000,
            "KRW": 100_000,
            "share": 0.001,
            "ratio": 0.01,
        }
    )


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
    oddities: tuple[str, ...] = ()
    """What storage found beside the tables: files nobody listed, CSV and Parquet that differ, metadata."""


@dataclass(frozen=True)
class SignedZeros:
    """Categories whose zero says nothing, signed by an owner: (dimension, category)."""

    categories: frozenset[tuple[str, str]] = frozenset()


def verify(
    candidate: Released,
    *,
    history: Sequence[Released] = (),
    signed: SignedZeros | None = None,
    facts: Mapping[str, pd.DataFrame] | None = None,
    limits: Limits | None = None,
) -> pd.DataFrame:
    """Attack a candidate.

    Args:
        candidate: to be released.
        history: everything ever released, withdrawn releases too.
        signed: zeros that may be printed.
        facts: gold table → cells with contributors; None: only what the public has.
        limits: for tests.

    Returns:
        One row per finding: attack, table, cell, what. Empty: nothing found.
    """
    limits, signed = limits or Limits(), signed or SignedZeros()
    tables = {name: frame for name, frame in candidate.tables.items() if _is_long(frame)}
    findings = [
        *_metadata(candidate),
        *_row_like(candidate, limits),
        *(found for name, frame in tables.items() for found in _printed(name, frame, limits, signed)),
        *_versions(candidate, history),
        *_changed_regions(candidate, history, limits),
        *_linked(candidate, history, limits, signed),
    ]
    if facts is not None:
        for name, frame in tables.items():
            findings += _insiders(name, frame, facts, limits)
    return pd.DataFrame(sorted(set(findings)), columns=list(FINDING_COLUMNS))


Finding = tuple[str, str, str, str]


def _is_long(frame: pd.DataFrame) -> bool:
    return set(r.VALUE_COLUMNS) <= set(frame.columns)


def _dimensions(frame: pd.DataFrame) -> list[str]:
    return [name for name in frame.columns if name in _DIMENSIONS]


def _names(frame: pd.DataFrame) -> list[str]:
    """A readable name of each row's cell: region and categories."""
    parts = [frame["region_level"] + " " + frame["region_code"]]
    for name in _dimensions(frame):
        parts.append((" " + name + "=" + frame[name].astype(str)).where(frame[name] != codes.ALL, ""))
    named = parts[0]
    for part in parts[1:]:
        named = named + part
    return list(named)


def _found(attack: str, table: str, frame: pd.DataFrame, what: str) -> Iterator[Finding]:
    if frame.empty:
        return
    statistics = frame["statistic"] if "statistic" in frame else [""] * len(frame)
    for cell, statistic in zip(_names(frame), statistics, strict=True):
        yield attack, table, cell, f"{statistic}: {what}" if statistic else what


def _metadata(candidate: Released) -> Iterator[Finding]:
    """P13."""
    for oddity in candidate.oddities:
        yield "P13", "", "", oddity
    for name, frame in candidate.tables.items():
        if not _is_long(frame):
            continue
        expected = next(
            (
                r.columns_of(s)
                for s in r.SOURCES
                if set(r.columns_of(s)) >= set(_dimensions(frame)) and _dimensions(frame) == list(r.dimension_columns(s))
            ),
            None,
        )
        if expected is None or tuple(frame.columns) != expected:
            extra = sorted(set(frame.columns) - set(expected or r.REGION_COLUMNS + r.VALUE_COLUMNS))
            yield "P13", name, "", f"columns are not those of the contract: {', '.join(extra) or 'order'}"
            continue
        source = next(s for s in r.SOURCES if r.columns_of(s) == expected)
        keys = frame[list(r.sort_key(source))]
        if not keys.equals(keys.sort_values(list(keys.columns), ignore_index=True)):
            yield "P13", name, "", "rows do not stand in the order of their key"
        if keys.duplicated().any():
            yield from _found("P12", name, frame[keys.duplicated()], "printed twice")
        if (frame["base_month"] != candidate.month).any():
            yield "P13", name, "", "rows of another month"
        unknown = ~frame["status"].isin(r.STATUS.codes)
        yield from _found("P13", name, frame[unknown], "unknown status")
        is_withheld = frame["status"] != r.PUBLISHED
        yield from _found("P13", name, frame[is_withheld & frame["value"].notna()], "a value behind a withheld status")
        yield from _found("P13", name, frame[is_withheld & frame["reliability"].notna()], "reliability of a withheld value")
        yield from _found("P13", name, frame[~is_withheld & frame["value"].isna()], "published without a value")


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


def _printed(name: str, frame: pd.DataFrame, limits: Limits, signed: SignedZeros) -> Iterator[Finding]:
    """P1, P5, P9: what the printed figures say one by one."""
    shown = frame[(frame["status"] == r.PUBLISHED) & frame["value"].notna()]
    base = shown["unit"].map(limits.bases).fillna(np.inf)
    steps = shown["value"] / base
    yield from _found("P5", name, shown[(steps - steps.round()).abs() > 1e-6], "finer than its rounding base")
    is_count = shown["unit"].isin(r.CONTRIBUTORS)
    is_zero = is_count & (shown["value"].abs() < _EXACT)
    is_signed = np.zeros(len(shown), dtype=bool)
    for dimension, category in signed.categories:
        if dimension in shown:
            is_signed |= (shown[dimension] == category).to_numpy()
    yield from _found("P9", name, shown[is_zero & ~is_signed], "a zero that nobody signed")
    small = is_count & (shown["value"] < limits.threshold) & ~is_zero
    yield from _found("P1", name, shown[small], f"fewer than {limits.threshold}")
    keys = ["region_level", "region_code", *_dimensions(frame)]
    counts = shown[is_count][[*keys, "value", "unit"]].set_axis([*keys, "count", "count_unit"], axis=1)
    shares = (
        shown[shown["unit"] == "share"].merge(counts, on=keys, how="left", validate="many_to_one")
        if not counts.duplicated(keys).any()
        else shown.iloc[:0]
    )
    if len(shares):
        half = limits.bases["share"] / 2
        most = shares["count"] + shares["count_unit"].map(limits.bases) / 2
        for value, what in ((shares["value"], "with"), (1 - shares["value"], "without")):
            few = (value + half) * most < limits.threshold
            yield from _found(
                "P1", name, shares[few & (value > _EXACT)], f"share × base: fewer than {limits.threshold} {what} it"
            )
            yield from _found("P9", name, shares[few & (value <= _EXACT)], f"next to nobody is {what} it")
    keyed = frame[frame["unit"].isin(r.CONTRIBUTORS)]
    for _, cross in keyed.groupby([keyed[d] == codes.ALL for d in _dimensions(frame) if d != r.PLACE]):
        rows = cross.groupby("region_code").size()
        for region in rows.index[rows < rows.max()]:
            yield "P9", name, str(region), "a row is missing: it would be a zero"


def _count_rows(released: Released) -> pd.DataFrame:
    """Counts of all tables under one key; `all` in each dimension that a table does not have."""
    names = sorted({d for frame in released.tables.values() if _is_long(frame) for d in _dimensions(frame)})
    parts = []
    for table, frame in released.tables.items():
        if _is_long(frame):
            rows = frame[frame["unit"].isin(r.CONTRIBUTORS) & frame["statistic"].isin(r.CONTRIBUTORS)]
            missing = {d: codes.ALL for d in names if d not in rows}
            parts.append(
                rows.assign(**missing, table=table)[["table", "unit", "region_level", "region_code", *names, "value", "status"]]
            )
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def _versions(candidate: Released, history: Sequence[Released]) -> Iterator[Finding]:
    """P6, P12: other releases of the same month."""
    own = _keys_of(candidate)
    for other in history:
        if other.month != candidate.month or (other.release_id == candidate.release_id and other.channel == candidate.channel):
            continue
        theirs = _keys_of(other)
        for name in own.keys() & theirs.keys():
            keys = [k for k in own[name].columns if k not in ("value", "status", *r.VALUE_COLUMNS)] + ["statistic"]
            both = own[name].merge(theirs[name], on=keys, suffixes=("", "_other"))
            shows, showed = both["status"] == r.PUBLISHED, both["status_other"] == r.PUBLISHED
            yield from _found(
                "P6",
                name,
                both[shows & ~showed & (both["status_other"] != r.UNRELIABLE)],
                f"withheld in {other.channel} {other.release_id}",
            )
            if other.version == candidate.version:
                is_count = both["unit"].isin(r.CONTRIBUTORS)
                yield from _found("P6", name, both[~shows & showed & is_count], f"shown in {other.channel} {other.release_id}")
                differs = shows & showed & ((both["value"] - both["value_other"]).abs() > 1e-6)
                yield from _found("P12", name, both[differs], f"another value in {other.channel} {other.release_id}")


def _keys_of(released: Released) -> dict[str, pd.DataFrame]:
    drop = [*r.REGION_COLUMNS[:1], *r.REGION_COLUMNS[3:], "reliability"]
    return {name: f.drop(columns=[c for c in drop if c in f]) for name, f in released.tables.items() if _is_long(f)}


def _changed_regions(candidate: Released, history: Sequence[Released], limits: Limits) -> Iterator[Finding]:
    """P7 between months: regions that came and went, whose difference is known exactly and small."""
    own = _region_totals(candidate)
    for other in history:
        if other.month == candidate.month:
            continue
        theirs = _region_totals(other)
        for unit in own.keys() & theirs.keys():
            came = own[unit].loc[own[unit].index.difference(theirs[unit].index)]
            went = theirs[unit].loc[theirs[unit].index.difference(own[unit].index)]
            for district in sorted(set(came.index.str[:5]) & set(went.index.str[:5])):
                ours, before = (v[v.index.str[:5] == district] for v in (came, went))
                base = limits.bases[unit]
                is_exact = not any(np.isclose(v / base, np.rint(v / base)).all() for v in (ours, before))
                sliver = abs(ours.sum() - before.sum())
                if is_exact and 0 < sliver < limits.threshold:
                    yield "P7", "", f"gu {district}", f"a sliver of changed dongs against {other.month}"


def _region_totals(released: Released) -> dict[str, pd.Series[float]]:
    rows = _count_rows(released)
    if rows.empty:
        return {}
    dimensions = [
        c for c in rows.columns if c not in ("table", "unit", "region_level", "region_code", "value", "status", r.PLACE)
    ]
    totals = rows[(rows[dimensions] == codes.ALL).all(axis=1) & (rows["region_level"] == "dong") & rows["value"].notna()]
    return {str(unit): part.groupby("region_code")["value"].first() for unit, part in totals.groupby("unit")}


def _linked(candidate: Released, history: Sequence[Released], limits: Limits, signed: SignedZeros) -> Iterator[Finding]:
    """P2, P3, P4, P7: counts of the month over all links."""
    same = [
        h for h in history if h.month == candidate.month and h.version == candidate.version and h.channel != candidate.channel
    ]
    rows = pd.concat([_count_rows(released) for released in (candidate, *same)], ignore_index=True)
    if rows.empty:
        return
    dimensions = [
        c for c in rows.columns if c not in ("table", "unit", "region_level", "region_code", "value", "status", r.PLACE)
    ]
    rows[dimensions] = rows[dimensions].fillna(codes.ALL)
    place = rows[r.PLACE].where(rows["unit"] == "persons", "") if r.PLACE in rows else ""
    for (unit, _), cells in rows.assign(place=place).groupby(["unit", "place"]):
        yield from _attack_population(cells, str(unit), dimensions, limits, signed)


def _attack_population(
    cells: pd.DataFrame, unit: str, dimensions: list[str], limits: Limits, signed: SignedZeros
) -> Iterator[Finding]:
    key = ["region_level", "region_code", *dimensions]
    # shown in any table is shown: the printed row first
    cells = (
        cells.assign(is_hidden=cells["value"].isna())
        .sort_values("is_hidden", kind="stable")
        .drop_duplicates(key)
        .sort_values(key, ignore_index=True)
    )
    coded = pd.DataFrame({name: pd.factorize(cells[name], sort=True)[0] for name in dimensions})
    value, base = cells["value"].to_numpy(float), limits.bases[unit]
    is_rounded = np.isclose(value / base, np.rint(value / base), atol=1e-6)
    half = np.where(is_rounded, np.ceil(base / 2) - 1 if unit == "persons" else base / 2, 0.0)
    is_nobody = (value == 0) & np.logical_or.reduce(
        [np.zeros(len(cells), dtype=bool), *((cells[d] == c).to_numpy() for d, c in signed.categories if d in cells)]
    )
    half = np.where(is_nobody, 0.0, half)
    hidden = cells["is_hidden"].to_numpy()
    low = np.where(hidden, 0.0, np.maximum(value - half, 0.0))
    high = np.where(hidden, np.inf, value + half)
    links, kinds = _links(cells, coded)
    must_be_wide = cells["status"].isin((r.SMALL, r.DOMINANCE)).to_numpy()
    need = np.where(hidden, np.where(must_be_wide, float(limits.threshold), 1.0), 0.0)
    district = cells["region_code"].str[: r.PARENT_CODE_LENGTH["dong"]]
    number = pd.factorize(district, sort=True)[0] + 1
    level = cells["region_level"].to_numpy(str)
    top = np.isin(level, ("city", "gu"))

    def name(at: int) -> Finding:
        return (
            "",
            str(cells["table"].iat[at]),
            _names(cells.drop(columns=["table", "unit", "is_hidden", "place"], errors="ignore").iloc[[at]])[0],
            "",
        )

    for row, at in _pinned(links, low, high, hidden):
        yield ("P2", *name(at)[1:3], "whole less parts gives it exactly")
        del row
    disagree, attack = _disagreeing(links, low, high), {"region": "P7", "category": "P2"}
    for row in disagree:
        at = int(links[row].indices[0])
        yield (attack[kinds[row]], *name(at)[1:3], "parts and whole disagree beyond rounding")
    narrow = narrow_cells(
        links,
        low,
        high,
        need,
        group=np.where(top, 0, number),
        parent_group=np.where(level == "gu", number, 0),
        nest=_nests(cells),
    )
    label = "P4" if unit == "persons" else "P3"
    if narrow is None:
        yield label, "", unit, "no counts agree with what is printed: cannot be verified"
        return
    for at in narrow.tolist():
        yield (label, *name(at)[1:3], "known more closely than the threshold")


def _nests(cells: pd.DataFrame) -> np.ndarray:
    """Output areas by their dong; dong cells of crosses that output areas do not have together; others in none."""
    level = cells["region_level"].to_numpy(str)
    dong = pd.factorize(cells["region_code"].str[: r.PARENT_CODE_LENGTH["output_area"]], sort=True)[0] + 1
    categories = cells.groupby([c for c in cells.columns if c in _DIMENSIONS and c != r.PLACE]).ngroup().to_numpy()
    is_area = level == "output_area"
    alone = (level == "dong") & ~np.isin(categories, categories[is_area]) & is_area.any()
    return np.where(is_area, dong, np.where(alone, 0, -1))


def _links(cells: pd.DataFrame, coded: pd.DataFrame) -> tuple[sparse.csr_matrix, list[str]]:
    """Rows: parts 1, whole -1. Made by joining cells with what they are part of."""
    base = coded.assign(region=pd.factorize(cells["region_code"])[0], at=np.arange(len(cells)))
    names = dict(zip(cells["region_code"], base["region"], strict=True))
    entries, kinds, first = [], [], 0

    def add(pairs: pd.DataFrame, kind: str) -> None:
        nonlocal first
        if pairs.empty:
            return
        row, wholes = pd.factorize(pairs["whole"])
        entries.append(np.column_stack([row + first, pairs["at"], np.ones(len(row))]))
        entries.append(np.column_stack([np.arange(len(wholes)) + first, wholes, -np.ones(len(wholes))]))
        kinds.extend([kind] * len(wholes))
        first += len(wholes)

    for name in coded.columns:
        is_margin = (cells[name] == codes.ALL).to_numpy()
        others = [c for c in base.columns if c not in (name, "at")]
        wholes = base[is_margin].assign(whole=base["at"])[[*others, "whole"]]
        add(base[~is_margin].merge(wholes, on=others, how="inner"), "category")
    length = cells["region_level"].map(r.PARENT_CODE_LENGTH)
    parent = [names.get(code[: int(n)], -1) if n == n else -1 for code, n in zip(cells["region_code"], length, strict=True)]
    parts = base.assign(region=parent)[np.array(parent) >= 0]
    columns = [c for c in base.columns if c != "at"]
    add(parts.merge(base.assign(whole=base["at"])[[*columns, "whole"]], on=columns, how="inner"), "region")
    if not entries:
        return sparse.csr_matrix((0, len(cells))), []
    table = np.concatenate(entries)
    return sparse.csr_matrix((table[:, 2], (table[:, 0].astype(int), table[:, 1].astype(int))), shape=(first, len(cells))), kinds


def _pinned(links: sparse.csr_matrix, low: np.ndarray, high: np.ndarray, hidden: np.ndarray) -> Iterator[tuple[int, int]]:
    """Links with one withheld cell and all others known exactly."""
    is_loose = hidden | (high - low > _EXACT)
    loose = (abs(links) @ is_loose.astype(float)).ravel()
    for row in np.flatnonzero(loose == 1):
        members = links[row].indices
        at = int(members[is_loose[members]][0])
        if hidden[at]:
            yield int(row), at


def _disagreeing(links: sparse.csr_matrix, low: np.ndarray, high: np.ndarray) -> list[int]:
    """Links that no values inside the intervals can satisfy."""
    parts, wholes = links.maximum(0), (-links).maximum(0)
    far = np.minimum(high, 1e15)
    least, most = parts @ low - wholes @ far, parts @ far - wholes @ low
    return np.flatnonzero((least > 1e-6) | (most < -1e-6)).tolist()


def _insiders(name: str, frame: pd.DataFrame, facts: Mapping[str, pd.DataFrame], limits: Limits) -> Iterator[Finding]:
    """P1, P8, P11 with the warehouse at hand."""
    source = next((s for s in facts if list(r.dimension_columns(s)) == _dimensions(frame)), None)
    if source is None:
        yield "P8", name, "", "no cells in the warehouse to compare with"
        return
    keys = ["region_level", "region_code", *_dimensions(frame)]
    shown = frame[frame["status"] == r.PUBLISHED].merge(facts[source], on=keys, how="left", suffixes=("", "_inside"))
    contributors = shown[r.CONTRIBUTORS[r.COUNT_OF[source]]].fillna(0)
    occupied = (contributors > 0) | (shown["value"] != 0)
    yield from _found("P1", name, shown[(contributors < limits.threshold) & occupied], "too few contributors")
    yield from _found("P11", name, shown[(contributors < limits.inside) & occupied], "masked inside, shown outside")
    for statistic, figure in r.STATISTICS[source].items():
        rows = shown[shown["statistic"] == statistic]
        if figure.measured is r.Measured.MEAN:
            largest, second, total = (rows[f"{fact}_{statistic}"] for fact in ("largest", "second", "absolute"))
            yield from _found("P8", name, rows[total - largest - second < limits.dominance_percent / 100 * largest], "dominated")
        elif figure.measured is r.Measured.QUANTILE:
            fewest = rows[[f"below_{statistic}", f"above_{statistic}"]].min(axis=1)
            yield from _found("P1", name, rows[fewest < limits.threshold], "too few on one side")
        elif figure.measured is r.Measured.SHARE:
            true = rows[f"with_{statistic}"]
            fewest = pd.concat([true, rows[r.CONTRIBUTORS[r.COUNT_OF[source]]] - true], axis=1).min(axis=1)
            yield from _found("P1", name, rows[fewest < limits.threshold], "too few with or without it")
