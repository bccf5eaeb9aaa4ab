"""From evidence to assignments on Spark: the model is fitted on a sample of addresses, then blocks of addresses are solved.

Contract of the seam: `match_addresses(people, …)` receives the rows of `gather_evidence` and returns the households that they
form, with all of them in it, once each. Nothing else in the room depends on how that is done. Rows of people enter Python and
households leave it: counting people there spares Spark three shuffles of everybody.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from living_finance.contracts.silver import UNSEEN_ADULTS
from living_finance.households.assignment import Assignment, assign
from living_finance.households.layout import (
    FEATURES,
    RELATIONS,
    Block,
    Flags,
    Layout,
    lay_out,
    numbered,
    run_starts,
    sorted_block,
)
from living_finance.households.model import AssignmentModel, fit
from living_finance.households.sharing import share
from living_finance.households.tally import AGES, COUNTS, NO_AGE, PACKED_MEMBERS, SUMS, tally
from living_finance.methods.grouped import Floats, Integers

_RESIDENT = T.StructType(
    [
        T.StructField("person_id", T.StringType()),
        T.StructField("gu_code", T.StringType()),
        T.StructField("assignment_evidence", T.StringType()),
        T.StructField("assignment_probability", T.DoubleType()),
    ]
)
_REGISTERED = T.StructType(
    [
        T.StructField("register_household_id", T.StringType()),
        T.StructField("gu_code", T.StringType()),
        T.StructField("register_members", T.IntegerType()),
    ]
)
DOUBT = ("_contested", "_loss", "_least_loss", "_squared_error")
"""Sums over a household's people of what `Assignment` says of them: who is contested, losses, squared errors of probabilities."""
MATCHED = T.StructType(
    [
        *(
            T.StructField(name, T.StringType())
            for name in ("household_key", "address_id", "unit_id", "people_gu_code", "people_dong_code")
        ),
        *(T.StructField(name, T.IntegerType()) for name in (*COUNTS, *AGES)),
        *(T.StructField(name, T.LongType()) for name in (*SUMS, UNSEEN_ADULTS, *PACKED_MEMBERS)),
        *(T.StructField(name, T.DoubleType()) for name in DOUBT),
        T.StructField("residents", T.ArrayType(_RESIDENT)),
        T.StructField("registered", T.ArrayType(_REGISTERED)),
    ]
)
_TEXTS = ("address_id", "unit_id", "person_key", "gu_code", "dong_code")
_ID_DIGITS = 24
_PEOPLE_PER_BLOCK = 300_000
"""About as many people as one Arrow task works on; 200 MB of arrays."""
_SAMPLED_PEOPLE = 400_000
"""People of the addresses that the model is fitted on, at most about that many: 200 MB on the driver."""
_SAMPLE_STEPS = 1_000_000


def household_id(key: Column) -> Column:
    """The published pseudonym of a household: 'H' and 96 bits of SHA-256 of its key.

    A household that rests on the same register household (or, without one, on the same smallest person)
    keeps its id over months, whatever happens elsewhere.
    """
    return F.concat(F.lit("H"), F.substring(F.sha2(key, 256), 1, _ID_DIGITS))


def fit_model(people: DataFrame, *, rows: int) -> AssignmentModel:
    """Estimate the month's model from whole addresses, chosen by the hash of their keys.

    Args:
        people: rows of `gather_evidence`.
        rows: about how many there are.

    Returns:
        The model; the same for the same people, however they are partitioned.
    """
    share = min(1.0, _SAMPLED_PEOPLE / max(rows, 1))
    sampled = people.where(F.pmod(F.xxhash64(F.lit("sample"), "address_id"), F.lit(_SAMPLE_STEPS)) < int(share * _SAMPLE_STEPS))
    return fit(lay_out(as_block(sampled.select(*as_numbers()).toArrow())))  # ok: a bounded sample


def match_addresses(people: DataFrame, *, model: AssignmentModel, rows: int, seed: int, draw: int | None = None) -> DataFrame:
    """Put everybody at an address into its households.

    Args:
        people: rows of `gather_evidence`.
        model: parameters of the month.
        rows: about how many people there are; decides the number of blocks, not the result.
        seed: the run's seed.
        draw: None for the point assignment, else the number of a posterior draw (`assignment.assign`).

    Returns:
        One row per household, columns `MATCHED`:

        - `household_key` (text: source and key of what the household rests on; the register household with most
          members where several live together, with the unit if it stands in several; the smallest person where the
          register knows nobody);
        - address_id, unit_id, people_gu_code, people_dong_code: of the row that names the household;
        - what its people add up to (`tally.tally`); ages are missing where it has nobody of the kind;
        - `DOUBT`, summed over its people;
        - `residents`: its bureau residents, each with assignment_evidence (register_unit, register_address, missing_head,
          shared_unit, alone) and assignment_probability (posterior probability of the place in that household);
        - `registered`: the register households that have people in it, with their number.

        Bound: blocks of about 300,000 people, an address never split.
    """
    blocks = max(1, -(-rows // _PEOPLE_PER_BLOCK))
    parameters = model.to_json()

    def solve(table: pa.Table) -> pa.Table:
        return _solved(table, model=AssignmentModel.from_json(parameters), seed=seed, draw=draw)

    block = F.pmod(F.xxhash64("address_id"), F.lit(blocks)).alias("_block")
    return people.select(*_TEXTS, "age", "is_man", *as_numbers(), block).groupBy("_block").applyInArrow(solve, MATCHED)


def residents(matched: DataFrame) -> DataFrame:
    """Where the bureau residents live.

    Args:
        matched: rows of `match_addresses`.

    Returns:
        One row per bureau resident: household_id (hash of the key), person_id, gu_code, assignment_evidence,
        assignment_probability.
    """
    return matched.select(household_id(F.col("household_key")).alias("household_id"), F.inline("residents"))


def registered(matched: DataFrame) -> DataFrame:
    """Which register households the households rest on.

    Args:
        matched: rows of `match_addresses`.

    Returns:
        One row per register household and household: household_id (hash of the key), register_household_id, gu_code,
        register_members (people of the one in the other). A register household that stands at several addresses is one here.
    """
    return matched.select(household_id(F.col("household_key")).alias("household_id"), F.inline("registered"))


def accuracy(matched: DataFrame) -> DataFrame:
    """How sure the month's assignments are, and how far from the best.

    Args:
        matched: rows of `match_addresses`.

    Returns:
        One row: contested_persons (the chain placed them); expected_pair_loss (wrong and missed pairs of theirs, and residents
        called extras or the reverse, expected under the posterior); least_pair_loss (no assignment loses less, so that ours is
        above the best by at most the difference); probability_error (root mean square of the Monte-Carlo errors of their
        probabilities).
    """
    contested, loss, least, squared = (F.sum(name) for name in DOUBT)
    return matched.agg(
        contested.alias("contested_persons"),
        loss.alias("expected_pair_loss"),
        least.alias("least_pair_loss"),
        F.sqrt(F.try_divide(squared, contested)).alias("probability_error"),
    )


def as_numbers() -> list[Column]:
    """Columns of `gather_evidence` as the arrays of a block are made from them: keys as 64-bit hashes, codes as numbers."""
    relation = F.array_position(F.array(*(F.lit(name) for name in RELATIONS)), F.col("relation_to_head")) - F.lit(1)
    return [
        F.xxhash64("address_id").alias("_address"),
        F.when(F.col("unit_id").isNull(), F.lit(0)).otherwise(F.xxhash64("unit_id")).cast("bigint").alias("_unit"),
        F.xxhash64("person_key").alias("_key"),
        F.coalesce(relation, F.lit(-1)).cast("bigint").alias("_relation"),
        F.col("sex_age").cast("bigint").alias("_sex_age"),
        F.col("is_bureau").alias("_is_bureau"),
        F.col("is_quarters").alias("_is_quarters"),
        F.col("features").alias("_features"),
    ]


def as_block(table: pa.Table) -> Block:
    """The block of a table with the columns `as_numbers`."""
    table = table.combine_chunks()
    is_bureau = table["_is_bureau"].to_numpy()
    features = np.zeros((table.num_rows, len(FEATURES)))
    known = pc.list_flatten(table["_features"]).to_numpy()
    features[is_bureau] = known.reshape(-1, len(FEATURES))
    names = ("_address", "_unit", "_sex_age", "_key", "_relation")
    address, unit, sex_age, key, relation = (table[name].to_numpy() for name in names)
    return sorted_block(
        address=address,
        unit=unit,
        sex_age=sex_age,
        is_bureau=is_bureau,
        key=key,
        relation=relation,
        features=features,
        is_quarters=table["_is_quarters"].to_numpy(),
    )


def _solved(table: pa.Table, *, model: AssignmentModel, seed: int, draw: int | None) -> pa.Table:
    """The households of a block, in the order of the rows that name them."""
    layout = lay_out(as_block(table))
    if draw is not None:
        layout = share(layout, model.sharing, seed=seed, draw=draw)
    result = assign(layout, model, seed=seed, draw=draw)
    rows = table.select([*_TEXTS, "age", "is_man"]).combine_chunks().take(pa.array(layout.block.position))
    text = {name: rows[name].combine_chunks() for name in _TEXTS}
    key_row, prefix = _household_keys(layout, result)
    naming, household = np.unique(key_row, return_inverse=True)
    names = {name: values.take(pa.array(naming)) for name, values in text.items()}
    keys = pc.binary_join_element_wise(prefix.take(pa.array(naming)), names["person_key"], "|")
    in_one_of_several = _stands_in_several_units(layout)[naming]
    keys_of_units = pc.binary_join_element_wise(keys, pc.fill_null(names["unit_id"], ""), "|")
    counted = tally(
        layout,
        household=household,
        relation=_relations(layout, key_row, is_missing_head=result.is_missing_head),
        age=rows["age"].to_numpy(),
        is_man=rows["is_man"].to_numpy(),
        is_matched=result.is_matched,
    )
    columns = {
        "household_key": pc.if_else(pa.array(in_one_of_several), keys_of_units, keys),
        "address_id": names["address_id"],
        "unit_id": names["unit_id"],
        "people_gu_code": names["gu_code"],
        "people_dong_code": names["dong_code"],
        **{name: pa.array(counted[name].astype(np.int32)) for name in COUNTS},
        **{name: pa.array(counted[name].astype(np.int32), mask=counted[name] == NO_AGE) for name in AGES},
        **{name: pa.array(counted[name]) for name in (*SUMS, UNSEEN_ADULTS)},
        **{name: pa.array(counted[name], mask=counted[name] < 0) for name in PACKED_MEMBERS},
        **{name: pa.array(np.bincount(household, weights=of)) for name, of in zip(DOUBT, _doubt(result), strict=True)},
        "residents": _residents(layout, result, text, household=household, households=len(naming)),
        "registered": _registered(layout, text, household=household, households=len(naming)),
    }
    return pa.table(columns)


def _doubt(result: Assignment) -> tuple[Floats, ...]:
    return result.is_contested.astype(np.float64), result.loss, result.least_loss, result.probability_error**2


def _residents(
    layout: Layout, result: Assignment, text: Mapping[str, pa.Array], *, household: Integers, households: int
) -> pa.Array:
    bureau = np.flatnonzero(layout.block.is_bureau)
    bureau = bureau[np.argsort(household[bureau], kind="stable")]
    people = [
        text["person_key"].take(pa.array(bureau)),
        text["gu_code"].take(pa.array(bureau)),
        _evidence(layout, result).take(pa.array(bureau)),
        pa.array(result.probability[bureau]),
    ]
    return _lists(people, _RESIDENT, household[bureau], households)


def _registered(layout: Layout, text: Mapping[str, pa.Array], *, household: Integers, households: int) -> pa.Array:
    """A register household is at one address and so, here, in one household; `|` separates its key from the address."""
    rows = np.flatnonzero(layout.is_register)
    rows = rows[np.lexsort((rows, layout.household[rows], household[rows]))]
    starts = run_starts(layout.household[rows])
    first = rows[starts]
    members = np.diff(np.r_[starts, len(rows)]).astype(np.int32)
    keys = pc.list_element(pc.split_pattern(text["person_key"].take(pa.array(first)), "|"), 0)
    described = [keys, text["gu_code"].take(pa.array(first)), pa.array(members)]
    return _lists(described, _REGISTERED, household[first], households)


def _lists(columns: Sequence[pa.Array], of: T.StructType, household: Integers, households: int) -> pa.Array:
    """A list per household of the rows, which are sorted by household."""
    offsets = np.r_[0, np.cumsum(np.bincount(household, minlength=households))].astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.StructArray.from_arrays(list(columns), names=of.fieldNames()))


def _household_keys(layout: Layout, result: Assignment) -> tuple[Integers, pa.Array]:
    """Row whose key names the household, by row, and the source of that key."""
    register_row = _main_rows(layout)
    is_extra = result.dwelling < 0
    key_row = np.empty(layout.block.rows, np.int64)
    key_row[~is_extra] = register_row[result.dwelling[~is_extra]]
    extras = np.flatnonzero(is_extra)
    order = extras[np.lexsort((layout.block.key[extras], result.extras[extras]))]
    starts = run_starts(result.extras[order])
    key_row[order] = np.repeat(order[starts], np.diff(np.r_[starts, len(order)]))
    return key_row, _named(is_extra.astype(np.int8), ("register", "bureau"))


def _stands_in_several_units(layout: Layout) -> Flags:
    """Whether the row is of a register household that stands in several units of the address: its key names several."""
    rows = np.flatnonzero(layout.is_register)
    first = rows[np.unique(layout.household[rows], return_index=True)[1]]
    same_key = numbered(layout.address[first], layout.block.key[first])
    is_several = np.bincount(same_key)[same_key] > 1
    result = np.zeros(layout.block.rows, bool)
    result[rows] = is_several[layout.household[rows]]
    return result


def _main_rows(layout: Layout) -> Integers:
    """A row of each dwelling's main register household: most members, then the smallest key."""
    rows = np.flatnonzero(layout.is_register)
    size = np.bincount(layout.household[rows], minlength=layout.households)[layout.household[rows]]
    order = rows[np.lexsort((layout.block.key[rows], -size, layout.dwelling[rows]))]
    return order[np.unique(layout.dwelling[order], return_index=True)[1]]


def _relations(layout: Layout, key_row: Integers, *, is_missing_head: Flags) -> Integers:
    """Relation to the head of the household: as registered in the main register household, whose head may be one whom it lacks;
    `other` elsewhere."""
    is_main = layout.is_register & (layout.block.key == layout.block.key[key_row])
    relation = np.where(is_main & (layout.block.relation >= 0), layout.block.relation, len(RELATIONS) - 1)
    has_head = np.bincount(key_row[relation == 0], minlength=layout.block.rows) > 0
    return np.where(is_missing_head & ~has_head[key_row], 0, relation)


def _evidence(layout: Layout, result: Assignment) -> pa.Array:
    in_unit = (result.dwelling >= 0) & (layout.block.unit != 0) & ((layout.partner >= 0) | layout.is_crowded)
    group = np.maximum(result.extras, 0)
    shares = (result.extras >= 0) & (np.bincount(group[result.extras >= 0], minlength=layout.block.rows)[group] > 1)
    names = ("missing_head", "register_unit", "register_address", "shared_unit", "alone")
    codes = np.select([result.is_missing_head, in_unit, result.dwelling >= 0, shares], [0, 1, 2, 3], 4)
    return _named(codes.astype(np.int8), names)


def _named(codes: npt.NDArray[np.int8], names: Sequence[str]) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(codes), pa.array(names)).cast(pa.string())
