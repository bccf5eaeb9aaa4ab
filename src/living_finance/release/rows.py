"""Row-level files: sampled, generalised until k-anonymous and l-diverse, amounts coarse, residual rows left out.

Rows are counted by their combination of quasi-identifiers first (one aggregation); what is generalised, and how far, is decided
on these classes, by district or for the city; the rows then take over the categories of their class.

Sources: Sweeney (2002), Achieving k-anonymity privacy protection using generalization and suppression, IJUFKS 10;
Kohlmayer et al. (2012), Flash: efficient, stable and optimal k-anonymity, PASSAT; Machanavajjhala et al. (2007), l-diversity,
ACM TKDD 1; Bayardo & Agrawal (2005), Data privacy through optimal k-anonymization, ICDE (discernibility). Decision 0026.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
import numpy.typing as npt
import pandas as pd
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T
from pyspark.storagelevel import StorageLevel

from living_finance.contracts import codes, silver
from living_finance.contracts import releases as r
from living_finance.contracts import row_files as rf
from living_finance.methods.grouped import WEIGHT_SCALE
from living_finance.methods.joins import join_to_one
from living_finance.methods.keyed_random import uniform
from living_finance.methods.quantiles import fixed_weight
from living_finance.release.rules import RowRules

_DIMENSIONS = frozenset(name for names in r.DIMENSIONS.values() for name in names)
_GROUP = "_group"
_BITS = "_bits_"
_ROW = "_row"
"""Whose row it is; never published."""
_OF = "_of_"
"""Before the name of a quasi-identifier as it was before generalisation."""

_FOLLOW_ROUNDS = 5
"""Of leaving out rows that can be followed; usually two."""

Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Deidentified:
    """A row-level file and what making it cost."""

    rows: DataFrame
    """One row per published row, columns of the contract but month and names of the region."""
    loss: DataFrame
    """One row per group (district or city) and set of levels: see `information_loss`."""
    followed: int = 0
    """Rows left out because they could be followed from an earlier release, and classes that fell with them."""


def sampled(*, household: Column, person: Column | None, rules: RowRules, release: str) -> Column:
    """Whether a household (person None) or a person is drawn.

    A household belongs to one side for ever: its record may be drawn, or its members may, in any release. Within a side each
    release draws anew, so that two releases cannot be differenced.

    Args:
        household: its identifier; the person's own where there is none.
        person: identifier; None: draw households.
        rules: shares and seed.
        release: month and version.
    """
    seed, shares = rules.sampling_seed.value, (rules.household_share.value, rules.person_share.value)
    border = shares[0] / sum(shares)
    side = uniform(household, seed=seed, purpose="rows_side")
    drawn = uniform(household if person is None else person, seed=seed, purpose=f"rows_{release}") < sum(shares)
    return drawn & (side < border if person is None else side >= border)


def household_records(households: DataFrame, *, rules: RowRules, release: str) -> DataFrame:
    """Drawn households with the most detailed categories and exact amounts.

    Args:
        households: gold.household of the month.
        rules: of the row-level files.
        release: month and version.

    Returns:
        One row per drawn household that has a weight: `region_code` (dong), quasi-identifiers as text, amounts, `_weight`,
        `_row` (its identifier, never published).
    """
    size = F.when(F.col("household_size") >= 7, "7_plus").otherwise(F.col("household_size").cast("string"))
    category = {"household_size": size, "dwelling_type": F.coalesce("dwelling_type", F.lit(rf.UNKNOWN))}
    category["tenure"] = F.coalesce("tenure", F.lit(rf.UNKNOWN))
    is_drawn = sampled(household=F.col("household_id"), person=None, rules=rules, release=release)
    return households.where((F.col("weight") > 0) & is_drawn).select(
        F.col("dong_code").alias("region_code"),
        *(category.get(q.name, F.col(q.name).cast("string")).alias(q.name) for q in rf.HOUSEHOLDS.quasi),
        *(F.col(a.name).cast("double").alias(a.name) for a in rf.HOUSEHOLDS.amounts),
        F.col("weight").cast("double").alias("_weight"),
        F.col("household_id").alias(_ROW),
    )


def person_records(persons: DataFrame, members: DataFrame, *, rules: RowRules, release: str) -> DataFrame:
    """Drawn bureau residents with the most detailed categories and exact amounts.

    Args:
        persons: silver.placed_person of the month.
        members: gold.household_member of the month.
        rules: of the row-level files.
        release: month and version.

    Returns:
        One row per drawn resident with a known dong, columns as `household_records`; `_weight` is 1.
    """
    labour, business = silver.INCOME_COLUMNS
    sums = {
        "labour_business_income_krw_year": F.col(labour) + F.col(business),
        "debt_krw": reduce(Column.__add__, map(F.col, silver.BALANCE_COLUMNS)),
        "spending_krw_month": reduce(Column.__add__, map(F.col, silver.SPENDING_COLUMNS)),
    }
    known = join_to_one(persons, members.select("person_id", "household_id"), on=["person_id"], how="left")
    household = F.coalesce("household_id", "person_id")
    is_drawn = sampled(household=household, person=F.col("person_id"), rules=rules, release=release)
    dong = F.coalesce("dong_code", "home_dong")
    return known.where((F.col("residence") == "seoul") & dong.isNotNull() & is_drawn).select(
        dong.alias("region_code"),
        *(F.col(q.name).cast("string").alias(q.name) for q in rf.PERSONS.quasi),
        *(sums[a.name].cast("double").alias(a.name) for a in rf.PERSONS.amounts),
        F.lit(1.0).alias("_weight"),
        F.col("person_id").alias(_ROW),
    )


def with_classes(records: DataFrame, file: rf.RowFile, rules: RowRules) -> DataFrame:
    """Amounts rounded to whole won, and the classes of income and debt that follow from them.

    The four limits of income come to the driver.
    """
    bases = {a.name: rules.base_of(a.column.unit) for a in file.amounts}
    rounded = records.withColumns(
        {name: (F.rint(F.col(name) / F.lit(float(base))) * F.lit(float(base))).cast("bigint") for name, base in bases.items()}
    )
    found = rounded.agg(F.percentile(file.income, [n / 5 for n in range(1, 5)]).alias("limits")).first()
    limits = found["limits"] if found and found["limits"] else []
    above = (F.when(F.col(file.income) > F.lit(float(limit)), 1).otherwise(0) for limit in limits)
    debt = F.when(F.col("debt_krw") <= 0, F.lit(rf.DEBT_CLASS.codes[0]))
    for name, limit in rf.DEBT_LIMITS:
        debt = debt.when(F.col("debt_krw") < limit, F.lit(name))
    return rounded.withColumns(
        {"income_class": sum(above, start=F.lit(1)).cast("string"), "debt_class": debt.otherwise(rf.DEBT_CLASS.codes[-1])}
    )


def with_cut_tails(rows: DataFrame, file: rf.RowFile, rules: RowRules) -> DataFrame:
    """`tail_share` of the rows, and never fewer than k, get the limit at either end of an amount: no lone extreme is left.

    Args:
        rows: all that are published, amounts rounded; read once more for their limits, two numbers per amount.
        file: which.
        rules: of the row-level files.
    """
    number = rows.count()
    if number == 0:
        return rows
    tail = min(max(rules.tail_share.value, (rules.k.value + 1) / number), 0.5)
    found = rows.agg(*(F.percentile(a.name, [tail, 1 - tail]).alias(a.name) for a in file.amounts)).first()
    limits = found.asDict() if found else {}
    cut = {}
    for amount in file.amounts:
        base = rules.base_of(amount.column.unit)
        # towards the middle, so that as many rows as meant are at the limit or beyond
        low, high = (int(f(limit / base)) * base for f, limit in zip((np.ceil, np.floor), limits[amount.name], strict=True))
        cut[amount.name] = F.least(F.greatest(F.col(amount.name), F.lit(low).cast("bigint")), F.lit(high).cast("bigint"))
    return rows.withColumns(cut)


def deidentified(
    records: DataFrame,
    *,
    file: rf.RowFile,
    rules: RowRules,
    forbidden: pd.DataFrame,
    earlier: Sequence[DataFrame] = (),
) -> Deidentified:
    """Generalise, leave out what stays alone, and drop everything that is not published.

    Args:
        records: of `household_records` or `person_records`; read some times: limits, classes, tails, rows.
        file: which.
        rules: of the row-level files.
        forbidden: cells (`region_code` and quasi-identifiers, `all` for a margin) of which no row may be shown.
        earlier: the same file of each release that was public before.
    """
    coded = with_classes(records, file, rules)
    names = list(file.quasi_names)
    group = F.substring("region_code", 1, 5) if rules.scope.value == "district" else F.lit(codes.CITY_CODE)
    bits = {f"{_BITS}{name}": F.bit_or(_bit(F.col(name), known)) for name, known in rf.SENSITIVE_CODES.items()}
    classes = coded.groupBy(group.alias(_GROUP), *names).agg(
        F.count(F.lit(1)).alias("_rows"),
        (F.sum(fixed_weight(F.col("_weight"))) / F.lit(WEIGHT_SCALE)).alias("_weights"),
        *(column.cast("bigint").alias(name) for name, column in bits.items()),
    )

    def choose(part: pd.DataFrame) -> pd.DataFrame:
        return generalised_classes(part, file=file, rules=rules, forbidden=forbidden)

    # a group is the combinations that occur in one district (or, by setting, in the city): fewer than its people
    chosen = classes.groupBy(_GROUP).applyInPandas(choose, _chosen_schema(file)).persist(StorageLevel.DISK_ONLY)
    old = coded.withColumnsRenamed({name: f"{_OF}{name}" for name in names})
    published = join_to_one(old, chosen.where("not is_suppressed"), on=[f"{_OF}{name}" for name in names], how="inner")
    length = F.length("region_code")
    level = reduce(
        lambda column, pair: column.when(length == pair[0], F.lit(pair[1])), rf.REGION_LEVELS.items(), F.when(F.lit(False), "")
    )
    wanted = [name for name in file.column_names if name not in ("base_month", "region_name_ko", "region_name_en")]
    kept, followed = without_followed(published, file=file, rules=rules, earlier=earlier)
    rows = with_cut_tails(kept, file, rules).withColumn("region_level", level).select(*wanted)
    return Deidentified(rows, information_loss(chosen, file=file), followed)


def without_followed(
    published: DataFrame, *, file: rf.RowFile, rules: RowRules, earlier: Sequence[DataFrame]
) -> tuple[DataFrame, int]:
    """Leave out rows that could be followed from an earlier release and about which both together say more than either.

    Somebody alone with incomes and debt in a district, or in the city, in both files can be found again. What remains of a class
    that falls below k or l leaves, too. Tails are cut again each round, since limits follow from the rows: a few rounds, and the
    gate refuses what is left.

    Args:
        published: rows with the categories of their class, `_row`.
        file: which.
        rules: of the row-level files.
        earlier: the same file of each release that was public before.

    Returns:
        The rows that stay, and how many do not.
    """
    if not earlier:
        return published, 0
    kept = published.localCheckpoint(eager=True, storageLevel=StorageLevel.DISK_ONLY)
    number = kept.count()
    for _ in range(_FOLLOW_ROUNDS):
        cut = with_cut_tails(kept, file, rules)
        found = reduce(DataFrame.union, (_followed(cut, before, file=file, k=rules.k.value) for before in earlier)).distinct()
        found = found.localCheckpoint(eager=True, storageLevel=StorageLevel.DISK_ONLY)
        if found.isEmpty():
            break
        rest = kept.join(found, on=[_ROW], how="left_anti")
        names = list(file.quasi_names)
        is_large = [F.count(F.lit(1)) >= rules.k.value]
        is_large += [F.count_distinct(name) >= rules.distinct_classes.value for name in rf.SENSITIVE_CODES]
        large = rest.groupBy(*names).agg(reduce(Column.__and__, is_large).alias("_is_large")).where("_is_large")
        kept = join_to_one(rest, large, on=names, how="inner").drop("_is_large")
        kept = kept.localCheckpoint(eager=True, storageLevel=StorageLevel.DISK_ONLY)
    return kept, number - kept.count()


def _followed(rows: DataFrame, before: DataFrame, *, file: rf.RowFile, k: int) -> DataFrame:
    """`_row` of rows of which an earlier file has one with the same slow amounts, both alone with them in their district or the
    city, where fewer than k such rows share what both files say and that is more than either says."""
    names = list(file.quasi_names)
    slow = [amount.name for amount in file.amounts if amount.column.unit != "KRW/month"]
    keys = ["_scope", *slow]

    def alone(frame: DataFrame, digits: int, *, prefix: str, carried: Sequence[str]) -> DataFrame:
        there = frame.where(F.length("region_code") >= digits).withColumn("_scope", F.substring("region_code", 1, digits))
        first = [F.first(name).alias(f"{prefix}{name}") for name in carried]
        return there.groupBy(*keys).agg(F.count(F.lit(1)).alias("_number"), *first).where("_number = 1").drop("_number")

    pairs = [
        join_to_one(
            alone(rows, digits, prefix="", carried=[_ROW, *names]),
            alone(before, digits, prefix=_OF, carried=names),
            on=keys,
            how="inner",
        ).drop(*keys)
        for digits in (rf.REGION_LENGTHS[1], rf.REGION_LENGTHS[2])
    ]
    both = reduce(DataFrame.union, pairs).distinct()
    said = both.select(_ROW, *names, *(f"{_OF}{n}" for n in names), *(_finer(n, file).alias(f"_both_{n}") for n in names))
    shared = [f"_both_{name}" for name in names]
    few = said.groupBy(*shared).agg(F.count(F.lit(1)).alias("_number")).where(F.col("_number") < k)
    more = [reduce(Column.__or__, (F.col(f"_both_{name}") != F.col(f"{prefix}{name}") for name in names)) for prefix in ("", _OF)]
    return join_to_one(said.where(more[0] & more[1]), few, on=shared, how="inner").select(_ROW)


def _finer(name: str, file: rf.RowFile) -> Column:
    """The finer of the categories that a row and the earlier one have, where one holds the other, else both."""
    now, before = F.col(name), F.col(f"{_OF}{name}")
    if name == "region_code":
        is_inside, holds = now.startswith(before), before.startswith(now)
    else:
        quasi = next(q for q in file.quasi if q.name == name)
        held = {c: frozenset(d for level in quasi.levels for d, to in level.items() if to == c) for c in _categories(quasi)}
        nested = [f"{a}|{b}" for a, b in itertools.product(held, held) if held[a] <= held[b]]
        is_inside, holds = (F.concat_ws("|", *pair).isin(nested) for pair in ((now, before), (before, now)))
    return F.when(is_inside, now).when(holds, before).otherwise(F.concat_ws(">", before, now))


def _categories(quasi: rf.Quasi) -> list[str]:
    return list(dict.fromkeys(category for level in quasi.levels for category in level.values()))


def _bit(code: Column, known: tuple[str, ...]) -> Column:
    """A number with one bit for the code."""
    return F.element_at(F.create_map(*(F.lit(x) for at, name in enumerate(known) for x in (name, 1 << at))), code)


def _chosen_schema(file: rf.RowFile) -> T.StructType:
    text = [name for q in file.quasi_names for name in (f"{_OF}{q}", q)]
    fields = [T.StructField(name, T.StringType()) for name in (_GROUP, *text)]
    fields += [T.StructField(f"level_{name}", T.IntegerType()) for name in file.quasi_names]
    fields += [
        T.StructField("is_suppressed", T.BooleanType()),
        T.StructField("_rows", T.LongType()),
        T.StructField("class_rows", T.LongType()),
        T.StructField("cost", T.DoubleType()),
    ]
    return T.StructType([*fields, *([T.StructField("weight", T.DoubleType())] if file.has_weight else [])])


def information_loss(chosen: DataFrame, *, file: rf.RowFile) -> DataFrame:
    """What generalisation cost, by group.

    Args:
        chosen: of `generalised_classes`.
        file: which.

    Returns:
        One row per group: levels, `rows`, `suppressed`, `discernibility` (sum over rows of the rows they cannot be told
        from, of all the group's rows for one left out), `classes`, `cost` (weighted mean of level ÷ highest level;
        Sweeney's precision is 1 − it).
    """
    shown = ~F.col("is_suppressed")
    by_class = chosen.groupBy(_GROUP, *(f"level_{n}" for n in file.quasi_names), *file.quasi_names, "is_suppressed").agg(
        F.sum("_rows").alias("_rows"), F.first("class_rows").alias("class_rows"), F.first("cost").alias("cost")
    )
    return by_class.groupBy(_GROUP, *(f"level_{n}" for n in file.quasi_names)).agg(
        F.sum("_rows").alias("rows"),
        F.coalesce(F.sum(F.when(~shown, F.col("_rows"))), F.lit(0)).alias("suppressed"),
        (
            F.sum(F.when(shown, F.col("_rows").cast("double") * F.col("class_rows")).otherwise(0.0))
            + F.sum("_rows").cast("double") * F.coalesce(F.sum(F.when(~shown, F.col("_rows"))), F.lit(0))
        ).alias("discernibility"),
        F.count_if(shown).alias("classes"),
        F.first("cost").alias("cost"),
    )


class _Lattice:
    """All combinations of levels, cheapest first, and what is known of each."""

    def __init__(self, heights: list[int], importance: list[float]) -> None:
        nodes = np.array(list(itertools.product(*(range(h) for h in heights))), dtype=np.int64)
        highest = np.maximum(np.array(heights) - 1, 1)
        cost = (nodes / highest) @ np.array(importance) / sum(importance)
        order = np.lexsort([*nodes.T, nodes.sum(axis=1), np.round(cost, 9)])
        self.nodes, self.cost = nodes[order], cost[order]
        self.is_open = np.ones(len(nodes), dtype=bool)

    def above(self, at: int) -> Flags:
        """Nodes that generalise at least as much in every column."""
        return np.asarray((self.nodes >= self.nodes[at]).all(axis=1))

    def below(self, at: int) -> Flags:
        return np.asarray((self.nodes <= self.nodes[at]).all(axis=1))

    def path(self, at: int) -> list[int]:
        """From a node upwards, each step to the cheapest open neighbour."""
        path = [at]
        while True:
            steps = self.nodes - self.nodes[path[-1]]
            is_next = (steps >= 0).all(axis=1) & (steps.sum(axis=1) == 1) & self.is_open
            if not is_next.any():
                return path
            path.append(int(np.flatnonzero(is_next)[0]))


class _Classes:
    """The combinations of one group, and what becomes of them at a node."""

    def __init__(self, part: pd.DataFrame, *, file: rf.RowFile, rules: RowRules) -> None:
        self.rows = part["_rows"].to_numpy(np.int64)
        self.bits = [part[f"{_BITS}{name}"].to_numpy(np.int64) for name in rf.SENSITIVE_CODES]
        self.k, self.distinct = rules.k.value, rules.distinct_classes.value
        lengths = rf.REGION_LENGTHS[: 2 if rules.scope.value == "district" else 3]
        regions = part["region_code"]
        self.labels = [[regions.str[:length].to_numpy(object) for length in lengths]]
        for q in file.quasi:
            self.labels.append([part[q.name].map(level).fillna(part[q.name]).to_numpy(object) for level in q.levels])
        self.codes = [[pd.factorize(label, sort=True)[0].astype(np.int64) for label in levels] for levels in self.labels]

    @property
    def heights(self) -> list[int]:
        return [len(levels) for levels in self.labels]

    def at(self, node: Integers) -> tuple[Integers, Integers, Flags]:
        """Class of each combination, rows of each class, whether the class may be shown."""
        key = np.zeros(len(self.rows), dtype=np.int64)
        for levels, level in zip(self.codes, node, strict=True):
            code = levels[level]
            key = key * (int(code.max(initial=0)) + 1) + code
        _, number = np.unique(key, return_inverse=True)
        size = np.bincount(number, weights=self.rows).astype(np.int64)
        is_shown = size >= self.k
        for bits in self.bits:
            seen = np.zeros(len(size), dtype=np.int64)
            np.bitwise_or.at(seen, number, bits)
            is_shown &= np.bitwise_count(seen) >= self.distinct
        return number, size, is_shown

    def suppressed(self, node: Integers) -> int:
        number, _, is_shown = self.at(node)
        return int(self.rows[~is_shown[number]].sum())


def cheapest_node(classes: _Classes, lattice: _Lattice, *, most_suppressed: float) -> int:
    """The cheapest levels at which no more than `most_suppressed` rows are left out; the highest if there are none.

    Exact: leaving out fewer rows is monotone in generalisation, so that one answer settles all nodes above or below.
    """
    best = len(lattice.nodes) - 1
    while lattice.is_open.any():
        first = int(np.flatnonzero(lattice.is_open)[0])
        if first >= best:
            break
        path = lattice.path(first)
        low, high = 0, len(path) - 1
        while low <= high:
            middle = (low + high) // 2
            at = path[middle]
            if classes.suppressed(lattice.nodes[at]) <= most_suppressed:
                best = min(best, at)
                lattice.is_open &= ~lattice.above(at)
                high = middle - 1
            else:
                lattice.is_open &= ~lattice.below(at)
                low = middle + 1
    return best


def generalised_classes(part: pd.DataFrame, *, file: rf.RowFile, rules: RowRules, forbidden: pd.DataFrame) -> pd.DataFrame:
    """Categories that each combination of one group gets.

    Args:
        part: one row per combination: quasi-identifiers, `_rows`, `_weights`, and a bit for each sensitive class that occurs.
        file: which.
        rules: of the row-level files.
        forbidden: see `deidentified`.

    Returns:
        One row per combination: columns before (`_of_…`) and after, levels, `is_suppressed`, `class_rows`, `cost`, and `weight`.
    """
    part = part.sort_values(list(file.quasi_names), ignore_index=True)
    classes = _Classes(part, file=file, rules=rules)
    lattice = _Lattice(classes.heights, [rules.importance[name].value for name in file.quasi_names])
    at = cheapest_node(classes, lattice, most_suppressed=rules.largest_suppressed_share.value * float(classes.rows.sum()))
    node = lattice.nodes[at]
    number, size, is_shown = classes.at(node)
    result = pd.DataFrame({_GROUP: part[_GROUP]})
    for name, levels, level in zip(file.quasi_names, classes.labels, node, strict=True):
        result[f"{_OF}{name}"], result[name] = part[name], levels[level]
        result[f"level_{name}"] = np.int32(level)
    is_forbidden = inside_cells(result, forbidden, names=file.quasi_names)
    result["is_suppressed"] = ~is_shown[number] | is_forbidden
    result["_rows"], result["class_rows"], result["cost"] = classes.rows, size[number], float(lattice.cost[at])
    if file.has_weight:
        weight = np.bincount(number, weights=part["_weights"].to_numpy(float)) / size / rules.household_share.value
        result["weight"] = np.round(weight, 1)[number]
    return result


def inside_cells(classes: pd.DataFrame, cells: pd.DataFrame, *, names: tuple[str, ...]) -> Flags:
    """Whether all people of a class belong to one of the cells.

    Args:
        classes: one row per class: `region_code` and categories.
        cells: the same columns; a category `all` is any.
        names: `region_code` and the quasi-identifiers.
    """
    inside = np.zeros(len(classes), dtype=bool)
    if cells.empty:
        return inside
    lengths = cells["region_code"].str.len()
    used_of = pd.Series(list(map(tuple, (cells[list(names[1:])] != codes.ALL).to_numpy())), index=cells.index)
    for length in lengths.unique().tolist():
        for flags in used_of[lengths == length].unique():
            used = [name for name, is_used in zip(names[1:], flags, strict=True) if is_used]
            wanted = pd.MultiIndex.from_frame(cells.loc[(lengths == length) & (used_of == flags), ["region_code", *used]])
            region = classes["region_code"].where(classes["region_code"].str.len() >= length, "").str[:length]
            inside |= pd.MultiIndex.from_frame(classes[used].assign(_region=region)[["_region", *used]]).isin(wanted)
    return inside


def withheld_cells(tables: Mapping[str, pd.DataFrame], file: rf.RowFile) -> pd.DataFrame:
    """Cells whose count the release's tables withhold, in the columns of a row-level file.

    Args:
        tables: of the release: rows of `release.protect`.
        file: which; households or, by residence, persons.
    """
    count = "persons" if file is rf.PERSONS else "households"
    names = list(file.quasi_names)
    parts = [pd.DataFrame(columns=names, dtype=object)]
    for frame in tables.values():
        dimensions = [name for name in frame.columns if name in _DIMENSIONS]
        rows = frame[(frame["statistic"] == count) & (frame["status"] != r.PUBLISHED)]
        if r.PLACE in rows:
            rows = rows[rows[r.PLACE] == "residence"]
        elsewhere = [d for d in dimensions if d not in names]
        rows = rows[(rows[elsewhere] == codes.ALL).all(axis=1) & (rows["region_code"].str.len() <= rf.REGION_LENGTHS[0])]
        parts.append(rows.assign(**{n: codes.ALL for n in names if n not in rows})[names])
    return pd.concat(parts, ignore_index=True).drop_duplicates(ignore_index=True)


def scarce_in_register(register: pd.DataFrame, *, k: int) -> pd.DataFrame:
    """Cells of region, sex and age that hold fewer than k registered residents: what anybody can look up.

    Args:
        register: one row per dong, sex and five-year band (`dong_code`, `sex`, `age_band`, `persons`).
        k: fewest.
    """
    age = next(q for q in rf.PERSONS.quasi if q.name == "age_band")
    parts = [pd.DataFrame(columns=list(rf.PERSONS.quasi_names), dtype=object)]
    for length, (sex, level) in itertools.product(rf.REGION_LENGTHS, itertools.product((True, False), range(len(age.levels)))):
        cells = pd.DataFrame(
            {
                "region_code": register["dong_code"].str[:length],
                "sex": register["sex"] if sex else codes.ALL,
                "age_band": register["age_band"].map(age.levels[level]),
                "persons": register["persons"],
            }
        )
        summed = cells.groupby(["region_code", "sex", "age_band"], as_index=False)["persons"].sum()
        scarce = summed[summed["persons"] < k].drop(columns="persons")
        parts.append(scarce.assign(**{n: codes.ALL for n in rf.PERSONS.quasi_names if n not in scarce}))
    return pd.concat(parts, ignore_index=True)[list(rf.PERSONS.quasi_names)]
