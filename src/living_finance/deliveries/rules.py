"""Every rule by which a delivery is refused whole, with what its supplier has to do about it."""

from __future__ import annotations

from living_finance.errors import RefusedDelivery

REMEDIES: dict[str, str] = {
    # The folder and its manifest.
    "dataset_unknown": "put the folder under one of the datasets of the contract",
    "folder_name": "name the folder YYYYMM (or YYYY for a yearly dataset), with .r1, .r2 … for a restatement",
    "manifest_missing": "add manifest.json as the last file of the folder",
    "manifest_broken": "write manifest.json as the contract's section 1 shows",
    "schema_version_unknown": "deliver by schema version 1",
    "folder_disagrees": "make folder name and manifest agree on dataset, month and delivery number",
    "as_of_not_after_month": "state the date of supply, which lies after the end of the month",
    "encoding_unknown": "deliver in utf-8 or cp949 and say which",
    "agreement_missing": "state the agreement the delivery rests on: id, from, to, scope",
    "agreement_period": "deliver months of the agreement only, or renew it first",
    "agreement_scope": "deliver persons of the agreed scope only (residents, or residents_and_workers)",
    "table_unknown": "list the dataset's tables only",
    "table_missing": "deliver every table of the dataset, at least one file each",
    "file_name_unsafe": "list plain names of files in the delivery's own folder",
    "file_listed_twice": "list each file once",
    "file_format_unknown": "deliver csv.gz or parquet files",
    "same_number_other_content": "restate a month under the next delivery number, in a folder with the suffix .rN",
    # Files.
    "file_missing": "deliver the file, or take it off the manifest",
    "file_not_listed": "list the file in the manifest, or take it out of the folder",
    "hash_disagrees": "send the file again; if it is right, correct its sha256 in the manifest",
    "gzip_damaged": "send the file again: it is cut short or not gzip",
    "encoding_broken": "write the file in the encoding the manifest states",
    "columns_missing": "deliver every column under its name in the contract",
    "columns_unexpected": "deliver the contract's columns only, and a header line",
    "column_doubled": "deliver each column once",
    "column_type": "in Parquet: codes, months and keys as strings, money as double, counts as integers, flags as boolean",
    "ragged_rows": "quote values that hold commas, quotes or line ends; give every row the header's number of values",
    "csv_unreadable": "write comma-separated values as RFC 4180 says",
    "parquet_unreadable": "send the file again: it is not a readable Parquet file",
    "row_count_disagrees": "send the file again; if it is right, correct its rows in the manifest",
    "file_changed": "leave a delivery alone once it is in landing, and run again",
    # Rows.
    "other_month_inside": "deliver rows of the manifest's month only",
    "direct_identifier": "remove or pseudonymise the column's direct identifiers before delivery",
    "category_too_fine": "deliver ages in five-year bands as agreed",
    "table_empty": "deliver the table's rows",
    "reference_table_empty": "deliver the table's rows",
    "reference_key_twice": "deliver each key of a reference table once",
    "overlapping_validity": "end a dong's validity before its next one begins",
    "too_many_quarantined": "correct the rows by the reasons named and restate the delivery",
}


def refusal(rule: str, *, delivery: str, file: str = "", detail: str = "") -> RefusedDelivery:
    """The failure for a broken rule, with the rule's remedy."""
    return RefusedDelivery(delivery=delivery, rule=rule, file=file, detail=detail, remedy=REMEDIES[rule])
