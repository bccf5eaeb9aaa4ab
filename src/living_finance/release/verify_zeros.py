"""Zeros that a release prints because nobody can be there: the gate's own look at the list of them.

Shares no code with the protection. A list is only as good as its evidence: with the warehouse at hand every entry is held
against the buildings and the contributors; without it, against what is printed.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from living_finance.contracts import codes
from living_finance.contracts import releases as r

_CATEGORIES = {"dwelling_type": codes.DWELLING_TYPE}
"""Dimensions of which evidence is known."""


def is_among(cells: pd.DataFrame, zeros: pd.DataFrame) -> np.ndarray:
    """Which cells are of a region and category of the list.

    Args:
        cells: region_level, region_code and dimensions.
        zeros: region_level, region_code, dimension, category.
    """
    found = np.zeros(len(cells), dtype=bool)
    for dimension in set(zeros.get("dimension", ())) & set(cells.columns):
        of = zeros.loc[zeros["dimension"] == dimension, ["region_level", "region_code", "category"]].drop_duplicates()
        at = cells[["region_level", "region_code", dimension]].set_axis(list(of.columns), axis=1)
        found |= (at.merge(of, on=list(of.columns), how="left", indicator="_in")["_in"] == "both").to_numpy()
    return found


def accepted(zeros: pd.DataFrame, evidence: frozenset[tuple[str, str]]) -> pd.DataFrame:
    """Entries of a list whose kind of evidence is signed for their dimension.

    Args:
        zeros: as the release lists them.
        evidence: (dimension, evidence) that an owner signed.

    Returns:
        Rows of region_level, region_code, dimension, category.
    """
    if tuple(zeros.columns) != r.ZERO_COLUMNS:
        return pd.DataFrame(columns=list(r.ZERO_KEY))
    is_signed = [pair in evidence for pair in zip(zeros["dimension"], zeros["evidence"], strict=True)]
    return zeros.loc[is_signed, list(r.ZERO_KEY)]


def public_zeros(buildings: pd.DataFrame, facts: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """What everybody can look up, whether or not it is listed: regions without a building of a type, and nobody there.

    Args:
        buildings: output_area_id, dong_code and dwelling_type of which there is a building.
        facts: gold table → cells with contributors.

    Returns:
        Rows of region_level, region_code, dimension, category.
    """
    rows = []
    for name, listing in _CATEGORIES.items():
        regions = [frame[["region_level", "region_code"]] for frame in facts.values() if name in frame]
        every_region = pd.concat(regions).drop_duplicates().itertuples(index=False) if regions else ()
        rows += [(level, region, name, category) for level, region in every_region for category in listing.codes]
    every = pd.DataFrame(rows, columns=list(r.ZERO_KEY), dtype=object)
    is_there, is_covered = _built(every, buildings)
    found: pd.DataFrame = every[~is_there & is_covered & (_contributors(every, facts) == 0)]
    return found


def list_findings(
    zeros: pd.DataFrame,
    *,
    month: str,
    tables: Mapping[str, pd.DataFrame],
    evidence: frozenset[tuple[str, str]],
    facts: Mapping[str, pd.DataFrame] | None,
    buildings: pd.DataFrame | None,
) -> Iterator[tuple[str, str, str, str]]:
    """P9 and P13 of the list of a release.

    Args:
        zeros: as the release lists them.
        month: YYYY-MM of the release.
        tables: the long tables of the release.
        evidence: (dimension, evidence) that an owner signed.
        facts: gold table → cells with contributors; None: only what the public has.
        buildings: as in `public_zeros`.

    Yields:
        Attack, table, cell, what.
    """
    if zeros.empty:
        return
    if tuple(zeros.columns) != r.ZERO_COLUMNS:
        yield "P13", r.STRUCTURAL_ZEROS, "", "columns are not those of the contract"
        return
    key = list(r.ZERO_KEY)

    def found(attack: str, which: np.ndarray | pd.Series[bool], what: str) -> Iterator[tuple[str, str, str, str]]:
        for level, region, dimension, category in zeros.loc[which, key].itertuples(index=False):
            yield attack, r.STRUCTURAL_ZEROS, f"{level} {region} {dimension}={category}", what

    if not zeros[key].equals(zeros[key].sort_values(key, ignore_index=True)):
        yield "P13", r.STRUCTURAL_ZEROS, "", "rows do not stand in the order of their key"
    yield from found("P13", zeros.duplicated(key), "listed twice")
    yield from found("P13", zeros["base_month"] != month, "of another month")
    yield from found("P13", ~_is_described(zeros, tables), "described otherwise than in contract and tables")
    pairs = zip(zeros["dimension"], zeros["evidence"], strict=True)
    yield from found("P9", np.array([pair not in evidence for pair in pairs]), "listed, but nobody signed such evidence")
    yield from found("P9", ~_is_printed(zeros, tables), "listed, but not printed as a zero")
    if facts is None:
        return
    yield from found("P9", _contributors(zeros, facts) > 0, "listed as a zero, but somebody is there")
    if buildings is None:
        yield "P9", r.STRUCTURAL_ZEROS, "", "no building register to hold the list against"
        return
    is_there, is_covered = _built(zeros, buildings)
    yield from found("P9", is_there, "listed as a zero, but there are such buildings")
    yield from found("P9", ~is_covered, "listed as a zero, but the register has nothing of the region")


def _is_described(zeros: pd.DataFrame, tables: Mapping[str, pd.DataFrame]) -> np.ndarray:
    """Whether names and labels say no more than those of the tables and the contract."""
    about = ["region_level", "region_code", "mois_code", "region_name_ko", "region_name_en"]
    known = pd.concat([frame[about] for frame in tables.values()]).drop_duplicates().fillna("")
    is_region = zeros[about].fillna("").merge(known, on=about, how="left", indicator="_in")["_in"] == "both"
    labels = {(name, *row) for name, listing in _CATEGORIES.items() for row in listing.labels}
    said = zeros[["dimension", "category", "category_ko", "category_en"]].itertuples(index=False, name=None)
    is_about = [r.EVIDENCE_OF.get(e) == d for d, e in zip(zeros["dimension"], zeros["evidence"], strict=True)]
    return np.asarray(is_region.to_numpy() & [row in labels for row in said] & np.array(is_about))


def _is_printed(zeros: pd.DataFrame, tables: Mapping[str, pd.DataFrame]) -> np.ndarray:
    """Whether some table has the cells of an entry, and all that have them print 0."""
    has_zero, has_other = np.zeros((2, len(zeros)), dtype=bool)
    for frame in tables.values():
        for dimension in set(zeros["dimension"]) & set(frame.columns):
            counts = frame[frame["unit"].isin(r.CONTRIBUTORS)]
            named = counts[["region_level", "region_code"]].assign(dimension=dimension, category=counts[dimension])
            is_zero = (counts["status"] == r.PUBLISHED) & (counts["value"] == 0)
            has_zero |= is_among(_as_cells(zeros, dimension), named[is_zero])
            has_other |= is_among(_as_cells(zeros, dimension), named[~is_zero])
    return has_zero & ~has_other


def _as_cells(zeros: pd.DataFrame, dimension: str) -> pd.DataFrame:
    """Entries of one dimension under its name; others match nothing."""
    category = zeros["category"].where(zeros["dimension"] == dimension, "")
    return zeros[["region_level", "region_code"]].assign(**{dimension: category})


def _contributors(zeros: pd.DataFrame, facts: Mapping[str, pd.DataFrame]) -> np.ndarray:
    """The most contributors of any cell of an entry's region and category; none known: 0."""
    most = np.zeros(len(zeros))
    for source, frame in facts.items():
        for dimension in set(zeros["dimension"]) & set(frame.columns):
            keys = ["region_level", "region_code", dimension]
            of = frame.groupby(keys)[r.CONTRIBUTORS[r.COUNT_OF[source]]].max().reset_index(name="_most")
            here = _as_cells(zeros, dimension).merge(of, on=keys, how="left", validate="many_to_one")["_most"]
            most = np.maximum(most, here.fillna(0).to_numpy(float))
    return most


def _built(zeros: pd.DataFrame, buildings: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Whether the register has a building of an entry's type in its region, and whether it has any there."""
    dongs, types = buildings["dong_code"].astype(str), buildings["dwelling_type"].astype(str)
    lengths = sorted({len(code) for code in zeros["region_code"] if len(code) <= r.PARENT_CODE_LENGTH["output_area"]})
    regions = [*(dongs.str[:length] for length in lengths), buildings["output_area_id"].astype(str)]
    there = set(itertools.chain.from_iterable(zip(region, types, strict=True) for region in regions))
    covered = {region for region, _ in there}
    pairs = zip(zeros["region_code"], zeros["category"], strict=True)
    return np.array([pair in there for pair in pairs], dtype=bool), zeros["region_code"].isin(covered).to_numpy()
