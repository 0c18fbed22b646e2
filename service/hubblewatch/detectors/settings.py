"""The detectors' settings blocks in one model, keyed by detector id."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from hubblewatch.detectors.policy_denials import PolicyDenialsSettings


class DetectorSettings(BaseModel):
    """One block per detector, named by its id: ``policy-denials`` or ``policy_denials``."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    policy_denials: PolicyDenialsSettings = Field(
        default_factory=PolicyDenialsSettings, alias="policy-denials"
    )
