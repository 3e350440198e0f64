"""Tables of the procedural people, read from the YAML files in ``characters/data`` and checked on reading.

Each file says in its comments what its columns and fields mean, and their units.
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import is_dataclass
from functools import cache
from importlib import resources
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

import numpy as np
import yaml

from stgmamba.arrays import DoubleArray

Record = TypeVar("Record")

REFERENCE_HEIGHT = 1.70
"""Height in metres of the body that the tables describe; others are scaled from it."""


@cache
def load_tables(name: str) -> Mapping[str, Any]:
    """Contents of ``characters/data/<name>.yaml``; each file is read once.

    Raises:
        ValueError: the file does not hold a mapping.
    """
    text = (resources.files("stgmamba") / "characters" / "data" / f"{name}.yaml").read_text(encoding="utf-8")
    tables = yaml.safe_load(text)
    if not isinstance(tables, dict):
        raise ValueError(f"{name}.yaml: not a mapping")
    return types.MappingProxyType(tables)


@cache
def load_array(file: str, *path: str, shape: tuple[int | None, ...]) -> DoubleArray:
    """A table of numbers.

    Args:
        file: name of the file without its ending.
        path: keys that lead to the table.
        shape: what it must have; None for any length.

    Returns:
        float64, read-only.

    Raises:
        ValueError: the table is missing or has another shape, or holds what is not a finite number.
    """
    where = f"{file}.yaml: {': '.join(path)}"
    rows: Any = load_tables(file)
    for key in path:
        if not isinstance(rows, Mapping) or key not in rows:
            raise ValueError(f"{where}: missing")
        rows = rows[key]
    return check_array(rows, shape, where)


@cache
def load_profile(file: str, *path: str, columns: int) -> DoubleArray:
    """The knots of a curve: a table of numbers whose first column increases, float64 [rows, columns], read-only.

    Args:
        file: name of the file without its ending.
        path: keys that lead to the table.
        columns: how many it must have.

    Raises:
        ValueError: as ``load_array``; fewer than two rows, or a first column that does not increase.
    """
    table = load_array(file, *path, shape=(None, columns))
    if len(table) < 2 or (np.diff(table[:, 0]) <= 0).any():
        raise ValueError(f"{file}.yaml: {': '.join(path)}: the first column does not increase over two rows or more")
    return table


def check_array(rows: Any, shape: tuple[int | None, ...], where: str) -> DoubleArray:
    """Nested lists of numbers as float64 of a given shape (None for any length), read-only.

    Raises:
        ValueError: another shape, or what is not a finite number.
    """
    try:
        table = np.asarray(rows, np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{where}: not a table of numbers ({error})") from error
    fits = table.ndim == len(shape) and all(n in (None, m) for n, m in zip(shape, table.shape, strict=True))
    if not fits or not np.isfinite(table).all():
        raise ValueError(f"{where}: not finite numbers of the shape {shape}, but {table.shape}")
    table.flags.writeable = False
    return table


@cache
def load_numbers(file: str, table: str, keys: tuple[str, ...]) -> Mapping[str, float]:
    """A table of one number per key.

    Args:
        file: name of the file without its ending.
        table: key of the table in the file.
        keys: what the table must have, in this order.

    Raises:
        ValueError: keys are missing or unknown, or a value is not a number.
    """
    where = f"{file}.yaml: {table}"
    values = _check_keys(load_tables(file).get(table), keys, where)
    return types.MappingProxyType({key: _convert(float, value, f"{where}: {key}") for key, value in values.items()})


def load_records(file: str, table: str | None, kind: type[Record], keys: tuple[str, ...]) -> dict[str, Record]:
    """A table with one record per key.

    Args:
        file: name of the file without its ending.
        table: key of the table in the file; None where it is the file itself.
        kind: dataclass of the records.
        keys: what the table must have, in this order.

    Raises:
        ValueError: keys are missing or unknown, or a record does not fit ``kind``.
    """
    where = f"{file}.yaml" if table is None else f"{file}.yaml: {table}"
    records = _check_keys(load_tables(file) if table is None else load_tables(file).get(table), keys, where)
    return {key: to_record(kind, value, f"{where}: {key}") for key, value in records.items()}


def _check_keys(table: Any, keys: tuple[str, ...], where: str) -> Mapping[str, Any]:
    if not isinstance(table, Mapping) or tuple(table) != keys:
        raise ValueError(f"{where}: the entries must be {', '.join(keys)}, in this order")
    return table


def to_record(kind: type[Record], values: Any, where: str) -> Record:
    """A dataclass from a mapping of its fields; nested dataclasses from nested mappings.

    Args:
        kind: the dataclass; its fields are str, float, bool or dataclasses, or one of these or None.
        values: field names to values; fields with a default may be left out.
        where: start of the messages, as in ``file.yaml: key``.

    Raises:
        ValueError: unknown or missing fields, values of another type, or what the dataclass itself refuses.
    """
    if not isinstance(values, Mapping):
        raise ValueError(f"{where}: not a mapping of {', '.join(get_type_hints(kind))}")
    hints = get_type_hints(kind)
    for name in values:
        if name not in hints:
            raise ValueError(f"{where}: there is no {name!r}; known are {', '.join(hints)}")
    fields = {name: _convert(hints[name], value, f"{where}: {name}") for name, value in values.items()}
    try:
        return kind(**fields)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{where}: {error}") from error


def _convert(hint: Any, value: Any, where: str) -> Any:
    if get_origin(hint) in (Union, types.UnionType):
        if value is None:
            return None
        (hint,) = (option for option in get_args(hint) if option is not type(None))
    if is_dataclass(hint):
        return to_record(hint, value, where)  # type: ignore[arg-type]  # a class, since it comes from a type hint
    accepted: Any = (int, float) if hint is float else hint
    if not isinstance(value, accepted) or (isinstance(value, bool) and hint is not bool):
        raise ValueError(f"{where}: {value!r} is not a {hint.__name__}")
    return hint(value)
