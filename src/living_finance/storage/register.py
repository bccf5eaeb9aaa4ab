"""The register of accepted deliveries, and which of them a month is made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from living_finance.contracts.bronze import DELIVERY
from living_finance.contracts.deliveries import DATASETS, Cycle
from living_finance.errors import MissingInput
from living_finance.months import Month
from living_finance.storage.warehouse import Warehouse


@dataclass(frozen=True)
class Delivery:
    """An accepted delivery."""

    dataset: str
    month: Month
    number: int
    content_sha256: str
    rows: Mapping[str, int]
    """Rows delivered, by table."""
    is_provisional: bool = False
    """Serves a month of another year than its own."""


class DeliveryRegister:
    """Reads bronze.delivery once; a delivery that is not in it does not exist for the rest of the system."""

    def __init__(self, warehouse: Warehouse) -> None:
        self._deliveries: dict[tuple[str, Month, int], Delivery] = {}
        if not warehouse.exists(DELIVERY):
            return
        for row in warehouse.read(DELIVERY).collect():  # ok: one row per delivery and table, a few hundred a year
            key = (row["dataset"], Month.from_date(row["delivery_month"]), row["delivery_number"])
            known = self._deliveries.get(key, Delivery(*key, content_sha256=row["content_sha256"], rows={}))
            self._deliveries[key] = replace(known, rows={**known.rows, row["table_name"]: row["row_count"]})

    def find(self, dataset: str, month: Month, number: int) -> Delivery | None:
        """The delivery with exactly this number."""
        return self._deliveries.get((dataset, month, number))

    def current(self, dataset: str, month: Month) -> Delivery | None:
        """The delivery of a month that counts: the highest number."""
        candidates = [d for (name, m, _), d in self._deliveries.items() if name == dataset and m == month]
        return max(candidates, key=lambda d: d.number, default=None)

    def months(self, dataset: str) -> list[Month]:
        """Months of a dataset, in order."""
        return sorted({month for name, month, _ in self._deliveries if name == dataset})

    def serving(self, dataset: str, month: Month) -> Delivery | None:
        """The delivery that serves a month by the contract's reference times.

        Monthly data serve their own month; the newest regions list not later than the month is the complete one
        (the oldest, marked, if there is none); of a yearly dataset the newest whose year is not later than the
        month's, or, if there is none, the oldest, marked.
        """
        cycle = next(d.cycle for d in DATASETS if d.name == dataset)
        months = self.months(dataset)
        if dataset == "regions":
            usable = [m for m in months if m <= month]
            is_provisional = not usable
        elif cycle is Cycle.YEARLY:
            usable = [m for m in months if m.year <= month.year]
            is_provisional = not usable or usable[-1].year != month.year
        else:
            return self.current(dataset, month)
        if not months:
            return None
        delivery = self.current(dataset, usable[-1] if usable else months[0])
        return replace(delivery, is_provisional=is_provisional) if delivery else None

    def deliveries_for(self, month: Month) -> dict[str, Delivery]:
        """What a month is made from, by dataset.

        Raises:
            MissingInput: a dataset has nothing that serves the month.
        """
        found = {dataset.name: self.serving(dataset.name, month) for dataset in DATASETS}
        missing = sorted(name for name, delivery in found.items() if delivery is None)
        if missing:
            raise MissingInput(
                f"{month} cannot be made: no accepted delivery of {', '.join(missing)}.",
                remedy="put the delivery into landing and run again",
            )
        return {name: delivery for name, delivery in found.items() if delivery is not None}
