"""From evidence to assignments on Spark: the model is fitted on a sample of addresses, then blocks of addresses are solved.

Contract of the seam: `match_to_register(people, …)` receives the rows of `gather_evidence` and returns them all, once
each, with what it found in place of `features`. Nothing else in the room depends on how that is done.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from living_finance.households.assignment import Assignment, assign
from living_finance.households.layout import RELATIONS, Block, Layout, lay_out, run_starts, sorted_block
from living_finance.households.model import FEATURES, AssignmentModel, fit
from living_finance.methods.grouped import Integers

_MATCH_SCHEMA = (
    T.StructField("household_key", T.StringType()),
    T.StructField("assignment_evidence", T.StringType()),
    T.StructField("is_matched", T.BooleanType()),
    T.StructField("assignment_probability", T.DoubleType()),
    T.StructField("relation", T.StringType()),
    T.StructField("household_unit_id", T.StringType()),
    T.StructField("household_gu_code", T.StringType()),
    T.StructField("household_dong_code", T.StringType()),
)
_ID_DIGITS = 24
_PEOPLE_PER_BLOCK = 150_000
"""About as many people as one Arrow task works on; 100 MB of arrays."""
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


def match_to_register(people: DataFrame, *, model: AssignmentModel, rows: int, seed: int, draw: int | None = None) -> DataFrame:
    """Put every bureau resident into a household of the address.

    Args:
        people: rows of `gather_evidence`.
        model: parameters of the month.
        rows: about how many people there are; decides the number of blocks, not the result.
        seed: the run's seed.
        draw: None for the point assignment, else the number of a posterior draw (`assignment.assign`).

    Returns:
        The same rows and columns but `features`, plus

        - `household_key` (text: source and key of what the household rests on; the register household with most
          members where several live together, the smallest person where the register knows nobody);
        - `assignment_evidence` (bureau rows only): register_unit, register_address, shared_unit, alone;
        - `is_matched`: the row has a partner in the other source;
        - `assignment_probability` (bureau rows only): posterior probability of the place in that household;
        - `relation`: to the head of the household; members of other register households are `other`;
        - `household_unit_id`, `household_gu_code`, `household_dong_code`: of the row that names the household.

        Bound: blocks of about 150,000 people, an address never split.
    """
    blocks = max(1, -(-rows // _PEOPLE_PER_BLOCK))
    columns = [name for name in people.columns if name != "features"]
    schema = T.StructType([*(people.schema[name] for name in columns), *_MATCH_SCHEMA])
    parameters = model.to_json()

    def solve(table: pa.Table) -> pa.Table:
        return _solved(table, columns=columns, model=AssignmentModel.from_json(parameters), seed=seed, draw=draw)

    block = F.pmod(F.xxhash64("address_id"), F.lit(blocks)).alias("_block")
    return people.select(*columns, *as_numbers(), block).groupBy("_block").applyInArrow(solve, schema)


def assignments(people: DataFrame) -> DataFrame:
    """The bureau residents of a matched frame.

    Args:
        people: rows of `match_to_register`.

    Returns:
        One row per bureau resident: gu_code, person_id, address_id, unit_id, household_id, assignment_evidence,
        assignment_probability.
    """
    return people.where("is_bureau").select(
        F.col("details.gu_code").alias("gu_code"),
        F.col("person_key").alias("person_id"),
        "address_id",
        "unit_id",
        household_id(F.col("household_key")).alias("household_id"),
        "assignment_evidence",
        "assignment_probability",
    )


def as_numbers() -> list[Column]:
    """Columns of `gather_evidence` as the arrays of a block are made from them: keys as 64-bit hashes, codes as numbers."""
    relation = F.array_position(F.array(*(F.lit(name) for name in RELATIONS)), F.col("details.relation_to_head")) - F.lit(1)
    return [
        F.xxhash64("address_id").alias("_address"),
        F.when(F.col("unit_id").isNull(), F.lit(0)).otherwise(F.xxhash64("unit_id")).cast("bigint").alias("_unit"),
        F.xxhash64("person_key").alias("_key"),
        F.coalesce(relation, F.lit(-1)).cast("bigint").alias("_relation"),
        F.col("sex_age").cast("bigint").alias("_sex_age"),
        F.col("is_bureau").alias("_is_bureau"),
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
        address=address, unit=unit, sex_age=sex_age, is_bureau=is_bureau, key=key, relation=relation, features=features
    )


def _solved(table: pa.Table, *, columns: Sequence[str], model: AssignmentModel, seed: int, draw: int | None) -> pa.Table:
    """The block's rows with what was found of each, in the block's own order."""
    layout = lay_out(as_block(table))
    result = assign(layout, model, seed=seed, draw=draw)
    rows = table.select(list(columns)).take(pa.array(layout.block.position))
    key_row, prefix = _household_keys(layout, result)
    names = rows["person_key"].combine_chunks()
    keys = pc.binary_join_element_wise(pa.array(prefix), names.take(pa.array(key_row)), "|")
    evidence, is_register = _evidence(layout, result), layout.is_register
    added = {
        "household_key": keys,
        "assignment_evidence": pa.array(evidence, mask=is_register),
        "is_matched": pa.array(result.is_matched),
        "assignment_probability": pa.array(result.probability, mask=is_register),
        "relation": pa.array(_relations(layout, key_row)),
        "household_unit_id": rows["unit_id"].combine_chunks().take(pa.array(key_row)),
        **{f"household_{name}": _of_struct(rows["details"], name).take(pa.array(key_row)) for name in ("gu_code", "dong_code")},
    }
    for name, values in added.items():
        rows = rows.append_column(name, values)
    return rows


def _of_struct(structs: pa.ChunkedArray, name: str) -> pa.Array:
    return pc.struct_field(structs.combine_chunks(), name)


def _household_keys(layout: Layout, result: Assignment) -> tuple[Integers, list[str]]:
    """Row whose key names the household, by row, and the source of that key."""
    register_row = _main_rows(layout)
    is_extra = result.dwelling < 0
    key_row = np.empty(layout.block.rows, np.int64)
    key_row[~is_extra] = register_row[result.dwelling[~is_extra]]
    extras = np.flatnonzero(is_extra)
    order = extras[np.lexsort((layout.block.key[extras], result.extras[extras]))]
    starts = run_starts(result.extras[order])
    key_row[order] = np.repeat(order[starts], np.diff(np.r_[starts, len(order)]))
    return key_row, ["bureau" if extra else "register" for extra in is_extra.tolist()]


def _main_rows(layout: Layout) -> Integers:
    """A row of each dwelling's main register household: most members, then the smallest key."""
    rows = np.flatnonzero(layout.is_register)
    size = np.bincount(layout.household[rows], minlength=layout.households)[layout.household[rows]]
    order = rows[np.lexsort((layout.block.key[rows], -size, layout.dwelling[rows]))]
    return order[np.unique(layout.dwelling[order], return_index=True)[1]]


def _relations(layout: Layout, key_row: Integers) -> list[str]:
    """Relation to the head of the household: as registered in the main register household, `other` elsewhere."""
    is_main = layout.is_register & (layout.block.key == layout.block.key[key_row])
    code = np.where(is_main & (layout.block.relation >= 0), layout.block.relation, len(RELATIONS) - 1)
    return [RELATIONS[position] for position in code.tolist()]


def _evidence(layout: Layout, result: Assignment) -> list[str]:
    in_unit = (layout.partner >= 0) & layout.block.is_bureau
    group = np.maximum(result.extras, 0)
    shares = (result.extras >= 0) & (np.bincount(group[result.extras >= 0], minlength=layout.block.rows)[group] > 1)
    names = ("register_unit", "register_address", "shared_unit", "alone")
    return [names[position] for position in np.select([in_unit, result.dwelling >= 0, shares], [0, 1, 2], 3).tolist()]
