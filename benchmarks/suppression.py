"""Cells withheld for others' sake by our programs beside those of pytauargus (MOD) on one table, at an equal requirement.

    make .cache/bench/.made && PYTHONPATH=.cache/bench .venv/bin/python benchmarks/suppression.py [--fraction 1.0] [--thin 20]

City > gu > dong × household type, exact counts of a made sample of 1 in `thin` households. A count under 10 must stay within
an interval at least 10 wide. MOD takes that as protection levels below and above the count (they add up to 10), which asks a
little more than ours; its pattern and ours are audited by the gate's programs.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import json
import tempfile
import time
from dataclasses import fields
from pathlib import Path

import numpy as np
import pandas as pd
from disclosure import CENSUS
from scipy import sparse

from living_finance.release.bounds import narrow_cells
from living_finance.release.complement import TOP, Demands, LinkedCells, complement
from living_finance.release.programs import Places

THRESHOLD = 10.0
DEMANDS = Demands(threshold=THRESHOLD, secondary=1.0, district_price=20.0)
TYPES = ("couple", "extended", "family", "other", "single")
SHARES = (0.22, 0.05, 0.36, 0.03, 0.34)


def made_table(*, fraction: float, thin: int, seed: int) -> pd.DataFrame:
    """One row per region × type, margins (`all`) included: gu, dong ('' above), type, count."""
    census = pd.read_csv(CENSUS, dtype={"dong_code": str})
    census = census.head(max(10, round(len(census) * fraction)))
    draws = np.random.default_rng(seed)
    lean = draws.gamma(30, 1 / 30, (len(census), len(TYPES))) * SHARES
    mean = census["general_households"].to_numpy()[:, None] / thin * lean / lean.sum(axis=1, keepdims=True)
    inner = pd.DataFrame(np.maximum(draws.poisson(mean), 1), columns=list(TYPES)).assign(dong=census["dong_code"].to_numpy())
    cells = inner.melt("dong", var_name="type", value_name="count").assign(gu=lambda f: f["dong"].str[:5])
    levels = (["gu", "dong", "type"], ["gu", "dong"], ["gu", "type"], ["gu"], ["type"], [])
    parts = [
        cells.groupby(level)["count"].sum().reset_index() if level else cells[["count"]].sum().to_frame().T for level in levels
    ]
    table = pd.concat(parts, ignore_index=True)
    return table.fillna({"gu": "", "dong": "", "type": "all"}).sort_values(["gu", "dong", "type"], ignore_index=True)


def links_of(table: pd.DataFrame) -> sparse.csr_matrix:
    """Parts 1, whole -1."""
    at = {tuple(row): i for i, row in enumerate(table[["gu", "dong", "type"]].itertuples(index=False))}
    links: dict[object, dict[int, float]] = {}
    for (gu, dong, kind), i in at.items():
        wholes = [("type", (gu, dong, "all"))] if kind != "all" else []
        wholes += [("region", (gu, "", kind) if dong else ("", "", kind))] if gu else []
        for name, whole in wholes:
            links.setdefault((name, whole), {at[whole]: -1.0})[i] = 1.0
    entries = [(row, i, sign) for row, link in enumerate(links.values()) for i, sign in link.items()]
    row, column, sign = (np.array(part) for part in zip(*entries, strict=True))
    return sparse.csr_matrix((sign, (row, column)), shape=(len(links), len(table)))


def ours(table: pd.DataFrame, links: sparse.csr_matrix) -> np.ndarray:
    """What our protection withholds of exact counts."""
    count = table["count"].to_numpy(float)
    number = pd.factorize(table["gu"], sort=True)[0]  # 0: the city
    small = count < THRESHOLD
    is_gu = (number > 0) & (table["dong"] == "").to_numpy()
    cells = LinkedCells(
        count=count,
        printed=count,
        slack=np.zeros(count.size),
        links=links,
        block=np.where(is_gu, TOP, number),
        district=np.where(is_gu, number, -1),
        room=np.full(count.size, np.inf),
    )
    return complement(cells, sensitive=small, withheld=small, is_fixed=np.zeros(count.size, bool), demands=DEMANDS)


def mod(table: pd.DataFrame) -> np.ndarray:
    """What MOD of pytauargus withholds."""
    from pytauargus.engine import run_batch

    count = table["count"].to_numpy()
    small = count < THRESHOLD
    below = np.minimum(count, THRESHOLD / 2).astype(int)
    region = np.where(table["dong"] != "", table["dong"].str[2:], table["gu"].str[2:])
    leaves = np.flatnonzero((table["dong"] != "") & (table["type"] != "all"))
    rows = [
        f"{region[i]};{table['type'].iat[i]};{count[i]};{'U' if small[i] else 'S'};{below[i] if small[i] else 0};"
        f"{int(THRESHOLD) - below[i] if small[i] else 0}"
        for i in leaves
    ]
    with tempfile.TemporaryDirectory() as folder:
        files = {name: Path(folder) / name for name in ("table.tab", "table.rda", "run.arb", "out.tab")}
        files["table.tab"].write_text("\n".join(rows) + "\n")
        files["table.rda"].write_text(
            '<SEPARATOR> ";"\n<SAFE> S\n<UNSAFE> U\n<PROTECT> P\n'
            'Region\n <RECODEABLE>\n <TOTCODE> "Total"\n <HIERARCHICAL>\n <HIERLEVELS> 3 2\n'
            'Type\n <RECODEABLE>\n <TOTCODE> "Total"\n'
            "N\n <NUMERIC>\n <DECIMALS> 0\nStatus\n <STATUS>\nLow\n <NUMERIC> <LOWERPL>\nUp\n <NUMERIC> <UPPERPL>\n"
        )
        files["run.arb"].write_text(
            f'<OPENTABLEDATA> "{files["table.tab"]}"\n<OPENMETADATA> "{files["table.rda"]}"\n'
            '<SPECIFYTABLE> "Region""Type"|"N"||\n<SAFETYRULE>\n<READTABLE> 1\n<SUPPRESS> MOD(1,20,1,1,1)\n'
            f'<WRITETABLE> (1,5,SO+,"{files["out.tab"]}")\n'
        )
        with contextlib.chdir(folder):  # it leaves files where it runs
            run_batch(str(files["run.arb"]))
        written = files["out.tab"].read_text().splitlines()
    fields = (line.replace('"', "").split(";") for line in written)
    status = {(region.strip(), kind.strip()): code.strip() for region, kind, _, _, _, code, *_ in fields}
    wanted = zip(np.where(region == "", "Total", region), table["type"].replace("all", "Total"), strict=True)
    return np.array([status[key] in ("U", "M") for key in wanted])


def narrow(table: pd.DataFrame, links: sparse.csr_matrix, withheld: np.ndarray) -> int:
    """Withheld cells that the gate's programs find known too closely: small ones within 10, others within 1."""
    count = table["count"].to_numpy(float)
    nothing = np.zeros(count.size, dtype=np.int64)
    found = narrow_cells(
        links,
        np.where(withheld, 0.0, count),
        np.where(withheld, np.inf, count),
        np.where(withheld, np.where(count < THRESHOLD, THRESHOLD, 1.0), 0.0),
        places=Places(**{each.name: nothing for each in fields(Places)}),  # one program: not looked at
    )
    return -1 if found is None else found.size


def main() -> None:
    """Measure and print as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fraction", type=float, default=1.0, help="share of the dongs")
    parser.add_argument("--thin", type=int, default=20, help="one in so many households")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    if importlib.util.find_spec("pytauargus") is None:
        print("Skipped: pytauargus is not installed (make .cache/bench/.made, PYTHONPATH=.cache/bench); nothing was compared.")
        return
    table = made_table(fraction=arguments.fraction, thin=arguments.thin, seed=arguments.seed)
    links = links_of(table)
    small = table["count"].to_numpy() < THRESHOLD
    figures: dict[str, object] = {"cells": len(table), "small": int(small.sum())}
    for name, method in (("ours", lambda: ours(table, links)), ("mod", lambda: mod(table))):
        started = time.perf_counter()
        withheld = method()
        figures[name] = {
            "seconds": round(time.perf_counter() - started, 1),
            "withheld_for_others": int((withheld & ~small).sum()),
            "households_in_them": int(table["count"].to_numpy()[withheld & ~small].sum()),
            "small_ones_printed": int((small & ~withheld).sum()),
            "found_narrow_by_the_gate": narrow(table, links, withheld),
        }
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
