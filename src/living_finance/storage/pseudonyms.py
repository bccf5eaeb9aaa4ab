"""Pseudonyms of delivered identifiers: HMAC-SHA256 with keys that only this module reads, in a file outside the data zone.

A key file is JSON: `{"keys": [{"id": "2026-01", "person": "<64 hex digits>", "address": …}, …]}`, one 256-bit key per purpose
and id. Keys are applied one after the other, the newest last, so that rotation adds one and what is stored can be re-keyed
without the delivered identifiers. Keys travel neither in a query plan nor in a task: each Python worker reads the file itself,
so it is where executors find it under the same path (decision 0027).
"""

from __future__ import annotations

import hmac
import json
import os
import re
import secrets
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from pyspark.sql import DataFrame

from living_finance.config import PseudonymSettings
from living_finance.contracts.bronze import PURPOSES
from living_finance.errors import ConfigurationError, PseudonymKeyMissing

_SOUND = re.compile(r"[A-Za-z0-9]{1,64}")
_KEY = re.compile(r"[0-9a-f]{64}")
_KEY_ID = re.compile(r"[A-Za-z0-9-]{1,32}")
_DIGITS = 32
"""Hexadecimal digits kept of the 64: 128 bits, so that two of 52 million people share one with a chance below 1e-23."""
_NOT_A_KEY = "-"
_REMEDY = "living-finance new-key --key-file FILE makes one; name it by pseudonyms.key_file, outside warehouse and landing"


@dataclass(frozen=True)
class Keys:
    """Which keys make the pseudonyms of a warehouse; holds none of them."""

    file: str
    ids: tuple[str, ...]
    """In the order in which they are applied."""

    @property
    def current(self) -> str:
        """Id that goes with the data."""
        return self.ids[-1]

    @property
    def newest(self) -> Keys:
        """The last key alone, for what has been through the others."""
        return Keys(self.file, self.ids[-1:])


def open_keys(settings: PseudonymSettings, *, outside: Sequence[str | Path] = ()) -> Keys | None:
    """The keys of the settings, or None where delivered identifiers are kept as they are.

    Args:
        settings: whether, and where the file is.
        outside: folders with data, in which it must not be.

    Raises:
        PseudonymKeyMissing: no such file, or others than its owner's group may read it, or it is not a key file.
        ConfigurationError: it lies with the data.
    """
    if not settings.enabled:
        return None
    if not settings.key_file:
        raise PseudonymKeyMissing("Pseudonyms are on, but pseudonyms.key_file is empty.", remedy=_REMEDY)
    file = Path(settings.key_file).resolve()
    for folder in outside:
        if file.is_relative_to(Path(str(folder).removeprefix("file://")).resolve()):
            raise ConfigurationError("The key file lies in the data zone.", remedy="move it out of warehouse and landing")
    return Keys(str(file), tuple(key["id"] for key in _content(file)))


def _content(file: Path) -> list[dict[str, str]]:
    try:
        content: list[dict[str, str]] = json.loads(file.read_text(encoding="utf-8"))["keys"]
        mode = file.stat().st_mode
    except OSError:
        raise PseudonymKeyMissing(f"No key file {file}.", remedy=_REMEDY) from None
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError):
        raise PseudonymKeyMissing(f"{file} is no key file.", remedy=_REMEDY) from None
    if mode & stat.S_IRWXO:
        raise PseudonymKeyMissing(f"Everybody may read {file}.", remedy=f"chmod o-rwx {file}")
    is_sound = (
        isinstance(content, list)
        and content
        and all(
            isinstance(key, dict)
            and key.keys() == {"id", *PURPOSES}
            and _KEY_ID.fullmatch(str(key["id"]))
            and all(_KEY.fullmatch(str(key[purpose])) for purpose in PURPOSES)
            for key in content
        )
        and len({key["id"] for key in content}) == len(content)
    )
    if not is_sound:
        raise PseudonymKeyMissing(f"{file} is no key file.", remedy=_REMEDY)
    return content


def add_key(file: Path, key_id: str) -> Keys:
    """Put a new random key at the end of a key file, made where there is none; readable by its owner only.

    Raises:
        ConfigurationError: the id is taken or not of letters, digits and hyphens.
    """
    known = _content(file) if file.exists() else []
    if not _KEY_ID.fullmatch(key_id) or key_id in {key["id"] for key in known}:
        raise ConfigurationError(
            f"No new key can have the id {key_id!r}.", remedy="up to 32 letters, digits, hyphens; not yet used"
        )
    content = {"keys": [*known, {"id": key_id, **{purpose: secrets.token_hex(32) for purpose in PURPOSES}}]}
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_name(f".{file.name}.{os.getpid()}.tmp")
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as handle:
        json.dump(content, handle, indent=1)
        handle.flush()
        os.fsync(handle.fileno())
    temporary.replace(file)
    return Keys(str(file.resolve()), tuple(key["id"] for key in content["keys"]))


def pseudonym(identifier: str | None, keys: Sequence[bytes], *, letter: str) -> str | None:
    """The letter of its purpose and 32 hexadecimal digits. A missing identifier stays missing; what is none (contract: letters
    and digits) stays none, so that its row is quarantined, but says nothing any more.
    """
    if identifier is None:
        return None
    if not _SOUND.fullmatch(identifier):
        return _NOT_A_KEY
    for key in keys:
        identifier = letter + hmac.digest(key, identifier.encode(), "sha256").hex()[:_DIGITS]
    return identifier


def pseudonymised(frame: DataFrame, columns: Mapping[str, str], *, keys: Keys) -> DataFrame:
    """The frame with pseudonyms in some text columns.

    Args:
        frame: with delivered identifiers, or with pseudonyms by earlier keys.
        columns: column → purpose of its key.
        keys: to be applied, one after the other.

    An Arrow function, not a column expression: keys in an expression would be literals of the plan, which is printed, logged
    and kept by the history server.

    Raises:
        PseudonymKeyMissing, as a failed query: an executor does not find the keys.
    """
    file, ids = keys.file, keys.ids

    def replace(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        known = {key["id"]: key for key in _content(Path(file))}
        chains = {purpose: [bytes.fromhex(known[key_id][purpose]) for key_id in ids] for purpose in set(columns.values())}
        for batch in batches:
            for column, purpose in columns.items():
                at = batch.schema.get_field_index(column)
                coded = batch.column(at).dictionary_encode()  # an address once for all who live there
                new = [pseudonym(value, chains[purpose], letter=PURPOSES[purpose]) for value in coded.dictionary.to_pylist()]
                values = pa.array(new, pa.string()).take(coded.indices)
                batch = batch.set_column(at, batch.schema.field(at).with_type(pa.string()), values)
            yield batch

    return frame.mapInArrow(replace, frame.schema)
