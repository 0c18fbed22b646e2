"""Loads the settings and says in plain words what is wrong with them."""

import os
from pathlib import Path

from pydantic import ValidationError
from pydantic_settings import SettingsError

from hubblewatch.errors import ConfigurationError
from hubblewatch.settings.complaint import complaints
from hubblewatch.settings.file import read_settings_file
from hubblewatch.settings.model import Settings
from hubblewatch.settings.variables import broken_lists, refuse_unknown_variables, variable_of


def load_settings(config: Path | None = None) -> Settings:
    """Return the settings from ``HUBBLEWATCH_`` variables over the file ``config`` over defaults.

    Raises ConfigurationError with one line for each wrong field: its path, where it was set, the
    value given (never a secret) and what would be right.
    """
    refuse_unknown_variables(os.environ, Settings)
    from_file = read_settings_file(config, Settings) if config is not None else {}
    try:
        return Settings(**from_file)
    except ValidationError as error:
        lines = complaints(error, Settings, config, os.environ)
        raise ConfigurationError("\n".join(["wrong settings", *lines])) from None
    except SettingsError as error:
        # A variable that holds a list or a whole block must hold JSON; pydantic-settings names only
        # the field of Settings.
        lists = list(broken_lists(os.environ, Settings))
        if lists:
            raise ConfigurationError("\n".join(["wrong settings", *lists])) from None
        field = str(error).partition('"')[2].partition('"')[0]
        raise ConfigurationError(
            f"wrong settings\n  {variable_of([field])} must be JSON; set the fields one by one "
            f"instead, as {variable_of([field, 'FIELD'])}=value"
        ) from None
