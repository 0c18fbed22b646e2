"""Do the settings load, and where do they come from?"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from hubblewatch.doctor.result import CheckResult, failed, passed
from hubblewatch.errors import ConfigurationError
from hubblewatch.settings import Settings, load_settings
from hubblewatch.settings.variables import PREFIX

CHECK = "configuration"


def check_configuration(
    config: Path | None, variables: Mapping[str, str]
) -> tuple[Settings | None, CheckResult]:
    """Load the settings; give them, None where they are wrong. Of variables only names are told."""
    try:
        settings = load_settings(config)
    except ConfigurationError as error:
        lines = [line.strip() for line in str(error).splitlines()]
        what = "\n".join(lines[1:] or lines)
        return None, failed(CHECK, what, "mend these fields; nothing else was looked at")
    used = used_variables(variables)
    places = [str(config)] if config is not None else []
    if used:
        places.append(f"the variable{'s' if len(used) > 1 else ''} {', '.join(used)}")
    if not places:
        return settings, passed(CHECK, "no file and no variable: all settings are the defaults")
    return settings, passed(CHECK, f"settings from {' and '.join(places)} load")


def used_variables(variables: Mapping[str, str]) -> list[str]:
    """Give the names of the variables that set something."""
    return sorted(
        name
        for name in variables
        if name.upper().startswith(PREFIX)
        and name.upper().removeprefix(PREFIX).partition("__")[0].lower() in Settings.model_fields
    )
