"""What every block of settings has in common."""

from pydantic import BaseModel, ConfigDict


class SettingsBlock(BaseModel):
    """A group of settings: unknown fields are refused, and nothing changes after the start."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        populate_by_name=True,
        validate_default=True,
        allow_inf_nan=False,
        # One-line docstrings under the fields become their descriptions.
        use_attribute_docstrings=True,
    )
