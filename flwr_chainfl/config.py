"""Run-config to a frozen dataclass; an unknown or impossible key is an error that names it."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, TypeVar, get_type_hints

from flwr_chainfl.errors import ConfigError

Config = TypeVar("Config")


def from_run_config(kind: type[Config], run_config: Mapping[str, Any]) -> Config:
    """Read a Flower run-config into a dataclass whose fields are named like the keys (``num-rounds``: `num_rounds`).

    kind: a dataclass with fields of type int, float, str or bool
    run_config: `context.run_config`

    Raises ConfigError for a key that is no field, a value of another type, or a field without value.
    """
    if not is_dataclass(kind):
        raise TypeError(f"{kind!r} is no dataclass")
    hints = get_type_hints(kind)
    known = {field.name.replace("_", "-"): field for field in fields(kind)}
    values: dict[str, Any] = {}
    for key, value in run_config.items():
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(sorted(known))}"
            raise ConfigError(f"run-config key {key!r} is unknown; {hint}")
        values[known[key].name] = _typed(key, value, hints[known[key].name])
    for key, field in known.items():
        if field.name not in values and field.default is MISSING and field.default_factory is MISSING:
            raise ConfigError(f"run-config key {key!r} is missing; add it to [tool.flwr.app.config] or --run-config")
    return kind(**values)


def require(name: str, value: float, *, minimum: float | None = None, maximum: float | None = None,
            above: float | None = None) -> None:
    """Raise ConfigError, naming value and bound, when a setting is out of range.

    minimum, maximum: inclusive bounds; above: an exclusive lower bound
    """
    if above is not None and not value > above:
        raise ConfigError(f"{name} is {value}; it must be above {above}")
    if minimum is not None and not value >= minimum:
        raise ConfigError(f"{name} is {value}; it must be {minimum} or more")
    if maximum is not None and not value <= maximum:
        raise ConfigError(f"{name} is {value}; it must be {maximum} or less")


def _typed(key: str, value: object, kind: Any) -> object:
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if kind is int and isinstance(value, bool) or not isinstance(value, kind):
        raise ConfigError(
            f"run-config key {key!r} is {value!r} ({type(value).__name__}); a value of type {kind.__name__} is needed"
        )
    return value
