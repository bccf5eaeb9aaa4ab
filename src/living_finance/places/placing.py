"""From addresses to building, output area, dong and district; the register as evidence for a home.

The buildings list says where an address is. Only where it lacks the address do the register's dong and then the
delivered dong speak. No person is moved to another address: nothing in the data says where somebody who has left
lives now, so a doubtful home is marked and householding decides.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from living_finance.contracts import codes
from living_finance.contracts.silver import ADDRESS, BALANCE_COLUMNS, INCOME_COLUMNS, PLACED_PERSON, SPENDING_COLUMNS
from living_finance.methods.census import five_year_band
from living_finance.methods.joins import join_to_one


def place_persons(
    persons: DataFrame,
    *,
    register: DataFrame,
    buildings: DataFrame,
    establishments: DataFrame,
    broadcast_buildings: bool,
) -> DataFrame:
    """Resolve home and workplace of every bureau person.

    Args:
        persons: silver.person of the month, one row per person.
        register: silver.register_person of the month.
        buildings: silver.building of the month, one row per address.
        establishments: silver.establishment of the month.
        broadcast_buildings: send the buildings to every task instead of shuffling the persons.

    Returns:
        silver.placed_person, one row per row of `persons`. `edits` gains
        `home_address_id:not_in_buildings`, `home_dong:conflicts_with_building`,
        `work_address_id:not_in_buildings`, `work_dong:conflicts_with_building`.
    """
    is_resident = F.col("residence") == "seoul"
    located = persons.withColumns(
        {
            "home_key": F.when(is_resident, F.col("home_address_id")),
            "work_key": F.when(F.col("workplace") == "seoul", F.col("work_address_id")),
        }
    )
    homes = buildings.select(
        F.col("address_id").alias("home_key"),
        F.col("dong_code").alias("building_dong"),
        "output_area_id",
        "dwelling_type",
    )
    works = buildings.select(F.col("address_id").alias("work_key"), F.col("dong_code").alias("work_building_dong"))
    busy = establishments.select(F.col("address_id").alias("work_key")).distinct().withColumn("is_busy", F.lit(True))
    joined = (
        join_to_one(located, homes, on=["home_key"], how="left", broadcast=broadcast_buildings)
        .transform(lambda frame: join_to_one(frame, works, on=["work_key"], how="left", broadcast=broadcast_buildings))
        .transform(lambda frame: join_to_one(frame, busy, on=["work_key"], how="left", broadcast=broadcast_buildings))
    )
    return joined.transform(_with_register_evidence, register=register).transform(_resolved)


def _with_register_evidence(persons: DataFrame, *, register: DataFrame) -> DataFrame:
    """Add what the register says of sex, age band and units at the home address, and its dong."""
    known = (
        register.where(F.col("age") >= 15)
        .select(
            F.col("address_id").alias("evidence_key"),
            "sex",
            five_year_band(F.col("age")).alias("age_band"),
            F.coalesce("unit_id", F.lit("")).alias("unit"),
            "dong_code",
        )
        .groupBy("evidence_key", "sex", "age_band")
        .agg(F.collect_set("unit").alias("register_units"), F.min("dong_code").alias("register_dong"))
    )
    # A missing address would send every commuter to one task; their own key matches nothing ("-" is in no pseudonym).
    spread = persons.withColumn("evidence_key", F.coalesce("home_key", F.concat(F.lit("-"), "person_id")))
    return join_to_one(spread, known, on=["evidence_key", "sex", "age_band"], how="left")


def _resolved(persons: DataFrame) -> DataFrame:
    has_address = F.col("home_key").isNotNull()
    has_building = F.col("building_dong").isNotNull()
    has_work_building = F.col("work_building_dong").isNotNull()
    is_resident = F.col("residence") == "seoul"
    is_known_at_address = F.col("register_units").isNotNull()
    is_known_in_unit = F.array_contains("register_units", F.col("home_unit_id"))
    dong = F.when(is_resident, F.coalesce("building_dong", "register_dong", "home_dong"))
    evidence = (
        F.when(~has_address, "no_address")
        .when(F.col("home_unit_id").isNotNull() & F.coalesce(is_known_in_unit, F.lit(False)), "register_unit")
        .when(F.col("home_unit_id").isNull() & is_known_at_address, "register_address")
        .otherwise("not_in_register")
    )
    notes = (
        ("home_address_id:not_in_buildings", has_address & ~has_building),
        ("home_dong:conflicts_with_building", has_building & (F.col("home_dong") != F.col("building_dong"))),
        ("work_address_id:not_in_buildings", F.col("work_key").isNotNull() & ~has_work_building),
        ("work_dong:conflicts_with_building", has_work_building & (F.col("work_dong") != F.col("work_building_dong"))),
    )
    added = F.filter(F.array(*(F.when(condition, F.lit(note)) for note, condition in notes)), lambda note: note.isNotNull())
    return persons.withColumns(
        {
            "dong_code": dong,
            "gu_code": F.coalesce(F.substring(dong, 1, 5), F.lit(codes.NO_DISTRICT)),
            "home_evidence": evidence,
            "has_household": has_address & dong.isNotNull(),
            "workplace_dong_code": F.when(F.col("workplace") == "seoul", F.coalesce("work_building_dong", "work_dong")),
            "has_establishment_at_work": F.when(F.col("work_key").isNotNull(), F.coalesce("is_busy", F.lit(False))),
            "edits": F.concat("edits", added),
        }
    ).select(*PLACED_PERSON.column_names)


def summarise_addresses(
    persons: DataFrame, *, register: DataFrame, buildings: DataFrame, establishments: DataFrame, broadcast_buildings: bool
) -> DataFrame:
    """What each source says of each building, side by side.

    Args:
        persons: silver.placed_person of the month.
        register: silver.register_person of the month.
        buildings: silver.building of the month.
        establishments: silver.establishment of the month.
        broadcast_buildings: as in `place_persons`.

    Returns:
        silver.address: one row per building where anybody lives, is registered or works. Sums are of bureau
        residents, in whole won. Capacity is the larger of legal dwellings and permitted households; what of it neither
        source knows to be lived in is empty. Lived in are the units in which either source knows anybody, a place for each
        register household without a unit, and at least one place where there is anybody at all.
    """
    counted = (
        _rows(
            persons.where(F.col("has_household")),
            address="home_address_id",
            bureau_persons=F.lit(1),
            bureau_persons_not_in_register=(F.col("home_evidence") == "not_in_register").cast("int"),
            labour_income_krw_year=F.round(INCOME_COLUMNS[0]),
            business_income_krw_year=F.round(INCOME_COLUMNS[1]),
            debt_krw=sum((F.round(name) for name in BALANCE_COLUMNS), F.lit(0)),
            spending_krw_month=sum((F.round(name) for name in SPENDING_COLUMNS), F.lit(0)),
        )
        .unionByName(
            _rows(
                register.groupBy("address_id", "register_household_id").agg(
                    F.count(F.lit(1)).alias("members"), F.min(F.col("unit_id").isNull().cast("int")).alias("has_no_unit")
                ),
                address="address_id",
                register_persons=F.col("members"),
                register_households=F.lit(1),
                places_lived_in=F.col("has_no_unit"),
            )
        )
        .unionByName(_rows(_known_units(persons, register=register), address="address_id", places_lived_in=F.lit(1)))
        .unionByName(_rows(persons.where(F.col("workplace") == "seoul"), address="work_address_id", bureau_workers=F.lit(1)))
        .unionByName(_rows(establishments, address="address_id", establishments=F.lit(1), establishment_workers=F.col("workers")))
    )
    sums = counted.where(F.col("address_id").isNotNull()).groupBy("address_id").agg(*(F.sum(n).alias(n) for n in _COUNTED))
    slim = buildings.select(
        "base_month",
        "gu_code",
        "address_id",
        "dong_code",
        "output_area_id",
        "dwelling_type",
        F.col("dwelling_units").cast("long").alias("dwelling_units"),
        F.greatest("dwelling_units", F.coalesce("households_permitted", F.lit(0))).alias("capacity"),
    )
    is_home = F.col("dwelling_type") != "non_residential"
    is_anybody_there = (F.col("bureau_persons") + F.col("register_persons") > 0).cast("long")
    lived_in = F.greatest("places_lived_in", is_anybody_there)
    return (
        join_to_one(sums, slim, on=["address_id"], how="inner", broadcast=broadcast_buildings)
        .withColumns(
            {
                "empty_units": F.when(is_home, F.greatest(F.col("capacity") - lived_in, F.lit(0))).otherwise(0).cast("long"),
                "is_over_capacity": is_home & (F.col("register_households") > F.col("capacity")),
                "has_unregistered_excess": F.col("bureau_persons") > F.col("register_persons"),
                "lacks_establishments": (F.col("bureau_workers") > 0) & (F.col("establishments") == 0),
            }
        )
        .select(*ADDRESS.column_names)
    )


def _known_units(persons: DataFrame, *, register: DataFrame) -> DataFrame:
    """One row per unit in which either source knows anybody: address_id, unit_id."""
    of_bureau = persons.where("has_household").select(
        F.col("home_address_id").alias("address_id"), F.col("home_unit_id").alias("unit_id")
    )
    return of_bureau.unionByName(register.select("address_id", "unit_id")).where(F.col("unit_id").isNotNull()).distinct()


_COUNTED = (
    "register_persons",
    "register_households",
    "bureau_persons",
    "bureau_persons_not_in_register",
    "bureau_workers",
    "establishments",
    "establishment_workers",
    "places_lived_in",
    "labour_income_krw_year",
    "business_income_krw_year",
    "debt_krw",
    "spending_krw_month",
)


def _rows(frame: DataFrame, *, address: str, **counts: Column) -> DataFrame:
    """One row per row of `frame` with every counted column, 0 where this source says nothing."""
    zero = F.lit(0)
    return frame.select(
        F.col(address).alias("address_id"), *(counts.get(name, zero).cast("long").alias(name) for name in _COUNTED)
    )
