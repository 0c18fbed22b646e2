"""What every block of settings refuses, those of detectors too."""

from typing import Any, get_args

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator


class Block(BaseModel):
    """A group of settings that holds what is meant only, and does not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _no_truth_for_numbers(cls, value: Any, info: ValidationInfo) -> Any:
        # YAML reads yes and on as true, which Python takes for 1. Variables hold texts.
        field = cls.model_fields[info.field_name or ""]
        values = value if isinstance(value, list | tuple) else [value]
        if any(isinstance(each, bool) for each in values) and _is_number(field.annotation):
            raise ValueError("must be a number, not true or false (which yes and no are in YAML)")
        return value


def _is_number(annotation: Any) -> bool:
    """Return whether ``annotation`` is of a number, be it a list of them or None beside it."""
    if annotation in (int, float):
        return True
    return any(_is_number(argument) for argument in get_args(annotation))
