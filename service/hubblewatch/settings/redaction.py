"""What is taken out of flows before anything is made of them."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, model_validator

from hubblewatch.settings.block import SettingsBlock

MIN_KEY_CHARACTERS = 16

_Patterns = tuple[Annotated[str, Field(min_length=1, max_length=1_000)], ...]


class RedactionSettings(SettingsBlock):
    """What ``export`` and ``watch`` keep of flows; HTTP headers and URLs are never kept."""

    names: Literal["keep", "hash"] = "keep"
    """Whether DNS names stay readable, or become pseudonyms under the key."""

    key: SecretStr | None = Field(default=None, min_length=MIN_KEY_CHARACTERS)
    """Key of the pseudonyms, the same for all exporters and starts; key_file is the better place in
    Kubernetes."""

    key_file: Path | None = None
    """File with the key (a line end after it does not count), read at the start."""

    clear_names: _Patterns = ("metadata.google.internal", "metadata.goog")
    """Domains whose names stay readable all the same, with all below them."""

    labels: _Patterns = (
        "k8s:app",
        "k8s:k8s-app",
        "k8s:app.kubernetes.io/name",
        "k8s:app.kubernetes.io/component",
        "k8s:io.kubernetes.pod.namespace",
        "k8s:io.cilium.k8s.policy.*",
        "k8s:io.cilium.k8s.namespace.labels.kubernetes.io/metadata.name",
    )
    """Labels to keep, by name, or by name=value; * stands for anything. reserved: labels always
    are; other labels, such as fqdn: with a DNS name, are dropped."""

    rejects: Literal["shape", "text"] = "shape"
    """What to keep of a line that could not be decoded: its punctuation and Hubble's own words, or
    its first bytes as they are, which may hold anything."""

    @model_validator(mode="after")
    def _fit(self) -> Self:
        if self.key is not None and self.key_file is not None:
            raise ValueError("needs either key or key_file, not both")
        if self.names == "hash" and self.key is None and self.key_file is None:
            raise ValueError("names: hash needs key_file or key")
        return self
