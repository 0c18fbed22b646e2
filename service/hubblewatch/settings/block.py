"""What every block of settings has in common."""

from pydantic import ConfigDict

from hubblewatch.block import Block


class SettingsBlock(Block):
    """A group of settings: unknown fields are refused, and nothing changes after the start."""

    model_config = ConfigDict(
        populate_by_name=True,
        validate_default=True,
        # One-line docstrings under the fields become their descriptions.
        use_attribute_docstrings=True,
    )
