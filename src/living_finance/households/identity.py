"""Which household of the month is which of the month before, and what became of the others.

A household has no identity of its own over time; only its people have (Duncan & Hill 1985). What is kept here is a
convention, and the lineage says in each row what it rests on. In the order of what decides:

1. Two households of different months are linked by the bureau persons who are in both, and by the register
   households that have people in both. Anybody found in one month only links nothing: a birth, a death, an arrival
   or a person who leaves the bureau changes a household's members, not its identity.
2. Links are ranked by one total order: more shared bureau persons; then more shared register households; then more
   shared register persons; then the same address; then the link whose two households have fewer other links; then
   the ids. Bureau persons come first, because only they are known one by one.
3. A household keeps the id of a previous one if their link ranks first for both. So of a household that splits the
   larger part keeps the id, of those that merge the larger contributor's survives, and people who are found
   together at another address keep it.
4. Every other household gets an id made of the month and its key. No household of an earlier month can have it, so
   an id that has ended never returns for others.
5. People of the register are not known one by one. That they went from one household that goes on to another is
   therefore said only of bureau persons: two households that share a register household would else exchange its
   people every month.
6. The month compared with is the newest made month before, however long the gap; without one every id is the hash of
   the household's key.

Source: Duncan, G. J. & Hill, M. S. (1985), Conceptions of longitudinal households: fertile or futile?, Journal of
Economic and Social Measurement 13, 361-375. Split-off and merged households of a panel: Commission Regulation (EC)
1981/2003 and Implementing Regulation (EU) 2019/2242, annex III (EU-SILC), where the address decides before the
people; here it decides between equals, because the bureau's addresses lag behind (decision 0011).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce

from pyspark.sql import Column, DataFrame, Window, WindowSpec
from pyspark.sql import functions as F

from living_finance.contracts import gold
from living_finance.households.matching import household_id, registered, residents
from living_finance.methods.joins import join_to_one
from living_finance.months import Month

_ABSENT = "-"
"""Begins the stand-in for the side that a link lacks. Ids begin with a letter, so it stands for no household."""

_SHARED = ("shared_bureau_persons", "shared_register_households", "shared_register_persons")
_KNOWN = ("gu_code", "dong_code", "address_id", "bureau_members", "register_members")


@dataclass(frozen=True)
class PreviousMonth:
    """The newest made month before: silver.HOUSEHOLD, gold.HOUSEHOLD_MEMBER, silver.HOUSEHOLD_REGISTER of it."""

    month: Month
    households: DataFrame
    members: DataFrame
    register: DataFrame


@dataclass(frozen=True)
class Identity:
    """Lazy frames of one month. `links` feeds the other two: whoever uses both persists it first."""

    links: DataFrame | None
    """Rows of `link_households`; None without a previous month."""
    ids: DataFrame | None
    """One row per household: `household_key_id` and the `household_id` it goes by; None: they are equal."""
    lineage: DataFrame
    """gold.HOUSEHOLD_LINEAGE."""

    def give_ids(self, frame: DataFrame) -> DataFrame:
        """Replace the hash of the key by the household's id.

        Args:
            frame: any grain, with `household_id` as `matching.household_id` makes it of the key.

        Returns:
            The same rows and columns. A household that `identify` has not seen has none: storage refuses the row.
        """
        if self.ids is None:
            return frame
        keyed = frame.withColumnRenamed("household_id", "household_key_id")
        return join_to_one(keyed, self.ids, on=["household_key_id"], how="left").select(*frame.columns)


def identify(*, matched: DataFrame, formed: DataFrame, month: Month, previous: PreviousMonth | None) -> Identity:
    """Ids and lineage of a month's households (rules: see the module).

    Args:
        matched: rows of `match_addresses`; every bureau resident once.
        formed: one row per household: household_id (hash of the key), gu_code, dong_code, address_id, bureau_members,
            register_members.
        month: the month.
        previous: the month to compare with; None in the first.

    Returns:
        Ids and lineage. The same rows in, whatever their order and partitions, give the same rows out.
    """
    if previous is None:
        return Identity(None, None, _first_lineage(formed, month=month))
    links = link_households(matched, formed=formed, previous=previous)
    traced = trace(links, month=month)
    is_household = _is_present("_now") & F.col("is_main_previous")
    ids = traced.where(is_household).select(F.col("_now").alias("household_key_id"), "household_id")
    lineage = traced.withColumns({"base_month": F.lit(month.date), "previous_month": F.lit(previous.month.date)})
    return Identity(links, ids, lineage.select(*gold.HOUSEHOLD_LINEAGE.column_names))


def link_households(matched: DataFrame, *, formed: DataFrame, previous: PreviousMonth) -> DataFrame:
    """Every pair of a household and a previous household that share somebody, and both kinds that share nobody.

    Args:
        matched, formed, previous: as for `identify`.

    Returns:
        One row per pair: `_now` (hash of the household's key) and `_before` (previous household's id), or a stand-in;
        the shared counts; gu_code, dong_code, address_id, bureau_members, register_members and the previous ones,
        missing where that household is not there; `_links_now`, `_links_before`: pairs that the household and the
        previous one have. People move by person, by register household, then households by either id.
    """
    pairs = (
        _by_bureau_person(matched, previous)
        .unionByName(_by_register_household(matched, previous))
        .withColumns(
            {
                "_now": F.coalesce("_now", F.concat(F.lit(_ABSENT), F.col("_before"))),
                "_before": F.coalesce("_before", F.concat(F.lit(_ABSENT), F.col("_now"))),
            }
        )
        .repartition("_before")  # serves the sum, the join and the count that follow
        .groupBy("_now", "_before")
        .agg(*(F.sum(name).cast("int").alias(name) for name in _SHARED))
    )
    known_before = previous.households.select(
        F.col("household_id").alias("_before"), *(F.col(name).alias(f"previous_{name}") for name in _KNOWN)
    )
    known_now = formed.select(F.col("household_id").alias("_now"), *_KNOWN)
    # Each count follows the join by the same id, so that it costs no shuffle of its own.
    linked = (
        join_to_one(pairs, known_before, on=["_before"], how="left")
        .transform(_count_links, side="_before")
        .transform(join_to_one, known_now, on=["_now"], how="left")
        .transform(_count_links, side="_now")
    )
    # People who came from nowhere or went nowhere are a row only where the household shares nobody at all.
    return linked.where(_is_linked() | (F.col("_links_now") + F.col("_links_before") == 0))


def trace(links: DataFrame, *, month: Month) -> DataFrame:
    """Decide each household's id and what happened.

    Households with one link to a household with one link, and those without any, are settled as they stand; only the
    rest, a few of a hundred, are ranked against each other.

    Args:
        links: rows of `link_households`.
        month: the month.

    Returns:
        The same rows with the columns of gold.HOUSEHOLD_LINEAGE but for the months. Pairs of two households that both
        go on and share no bureau person are left out: who of the register went from one to the other is not known.
    """
    is_settled = (F.col("_links_now") <= 1) & (F.col("_links_before") <= 1)
    is_linked = _is_linked()
    settled = links.where(is_settled).withColumns(
        {
            "is_main_previous": _is_present("_now"),
            "is_main_successor": _is_present("_before"),
            "_inherited_id": F.when(is_linked, F.col("_before")),
            "_is_previous_alive": is_linked,
        }
    )
    contested = links.where(~is_settled).transform(_rank)
    given_id = F.coalesce("_inherited_id", household_id(F.concat(F.lit(f"{month}|"), F.col("_now"))))
    traced = (
        settled.unionByName(contested)
        .withColumns(
            {
                "household_id": F.when(_is_present("_now"), given_id).otherwise(F.lit(gold.NO_HOUSEHOLD)),
                "previous_household_id": F.when(_is_present("_before"), F.col("_before")).otherwise(F.lit(gold.NO_HOUSEHOLD)),
                "is_address_changed": F.col("address_id") != F.col("previous_address_id"),
                "gu_code": F.coalesce("gu_code", "previous_gu_code"),
                "has_members_changed": F.when(_is_same(), _has_members_changed()),
            }
        )
        .withColumn("event", _event())
    )
    return traced.where((F.col("event") != "transferred") | (F.col("shared_bureau_persons") > 0))


def _by_bureau_person(matched: DataFrame, previous: PreviousMonth) -> DataFrame:
    """One row per bureau person of either month with both households; a person twice in a month fails the query."""
    now = residents(matched).select("person_id", F.col("household_id").alias("_now"), F.lit(None).cast("string").alias("_before"))
    before = previous.members.select(
        "person_id", F.lit(None).cast("string").alias("_now"), F.col("household_id").alias("_before")
    )
    # Moved first: aggregates of text sort, and sorting before the shuffle as well would merge next to nothing.
    both = now.unionByName(before).repartition("person_id").groupBy("person_id").agg(
        F.max("_now").alias("_now"),
        F.max("_before").alias("_before"),
        (F.count("_now") <= 1).alias("_is_once_now"),
        (F.count("_before") <= 1).alias("_is_once_before"),
    )  # fmt: skip
    message = "identity: a bureau person is in two households of one month"
    is_once = F.col("_is_once_now") & F.col("_is_once_before")
    return both.where(F.when(is_once, F.lit(True)).otherwise(F.raise_error(F.lit(message)).cast("boolean"))).select(
        "_now",
        "_before",
        _is_in_both().cast("int").alias("shared_bureau_persons"),
        F.lit(0).alias("shared_register_households"),
        F.lit(0).alias("shared_register_persons"),
    )


def _by_register_household(matched: DataFrame, previous: PreviousMonth) -> DataFrame:
    """One row per register household, household and previous household.

    Many to many on purpose: a register household whose people are in m households and were in n gives m × n rows;
    both are bounded by its people, and are 1 but for a few.
    """
    now = registered(matched).select(
        "register_household_id", F.col("household_id").alias("_now"), F.col("register_members").alias("_members_now")
    )
    before = previous.register.select(
        "register_household_id", F.col("household_id").alias("_before"), F.col("register_members").alias("_members_before")
    )
    members_now, members_before = (F.coalesce(name, F.lit(0)) for name in ("_members_now", "_members_before"))
    return now.join(before, on="register_household_id", how="full").select(
        "_now",
        "_before",
        F.lit(0).alias("shared_bureau_persons"),
        _is_in_both().cast("int").alias("shared_register_households"),
        F.least(members_now, members_before).alias("shared_register_persons"),
    )


def _is_in_both() -> Column:
    return F.col("_now").isNotNull() & F.col("_before").isNotNull()


def _is_present(side: str) -> Column:
    return ~F.startswith(F.col(side), F.lit(_ABSENT))


def _is_linked() -> Column:
    return _is_present("_now") & _is_present("_before")


def _is_same() -> Column:
    return F.coalesce(F.col("_inherited_id") == F.col("_before"), F.lit(False))


def _of(side: str) -> WindowSpec:
    """All pairs of one household: as many as it has people, at most."""
    return Window.partitionBy(side).rowsBetween(Window.unboundedPreceding, Window.unboundedFollowing)


def _count_links(pairs: DataFrame, *, side: str) -> DataFrame:
    return pairs.withColumn(f"_links{side}", F.count_if(_is_linked()).over(_of(side)))


def _rank(contested: DataFrame) -> DataFrame:
    """Which link ranks first for each side, and so which households go on."""
    order = [
        *(F.col(name).desc() for name in _SHARED),
        F.col("address_id").eqNullSafe(F.col("previous_address_id")).desc(),
        F.col("_links_now") + F.col("_links_before"),
        F.col("_before"),
        F.col("_now"),
    ]

    def is_first(side: str) -> Column:
        ranking = Window.partitionBy(side).orderBy(*order).rowsBetween(Window.unboundedPreceding, Window.currentRow)
        return F.row_number().over(ranking) == 1

    is_mutual = F.col("is_main_previous") & F.col("is_main_successor")
    return (
        contested.withColumn("is_main_previous", is_first("_now"))
        .withColumn("is_main_successor", is_first("_before"))
        .withColumn("_is_previous_alive", F.bool_or(is_mutual).over(_of("_before")))
        .withColumn("_inherited_id", F.max(F.when(is_mutual, F.col("_before"))).over(_of("_now")))
    )


def _has_members_changed() -> Column:
    """Somebody of either month is not shared; who of a register household it is shows only in its number."""
    shared_of = {"bureau_members": "shared_bureau_persons", "register_members": "shared_register_persons"}
    is_whole = [F.col(prefix + name) == F.col(shared) for name, shared in shared_of.items() for prefix in ("", "previous_")]
    return ~reduce(Column.__and__, is_whole)


def _event() -> Column:
    is_old = F.col("_inherited_id").isNotNull()
    return (
        F.when(~_is_present("_before"), "new")
        .when(~_is_present("_now"), "ended")
        .when(_is_same() & F.col("is_address_changed"), "moved")
        .when(_is_same() & F.col("has_members_changed"), "members_changed")
        .when(_is_same(), "unchanged")
        .when(~is_old, "split")
        .when(F.col("_is_previous_alive"), "transferred")
        .otherwise("merged")
    )


def _first_lineage(formed: DataFrame, *, month: Month) -> DataFrame:
    values = {
        "base_month": F.lit(month.date),
        "previous_household_id": F.lit(gold.NO_HOUSEHOLD),
        "event": F.lit("first"),
        "is_main_previous": F.lit(True),
        "is_main_successor": F.lit(False),
        **{name: F.lit(0) for name in _SHARED},
    }
    missing = {
        column.name: F.lit(None).cast(column.spark_type)
        for column in gold.HOUSEHOLD_LINEAGE.columns
        if column.name not in (*values, "household_id", "gu_code", "dong_code")
    }
    return formed.withColumns({**values, **missing}).select(*gold.HOUSEHOLD_LINEAGE.column_names)
