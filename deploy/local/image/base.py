"""A base image from Debian's packages, for machines that reach no registry of images."""

import platform
import shutil
import subprocess
import tempfile
from pathlib import Path

from deploy.local.image.engine import BUILT_WITHIN_SECONDS, Engine
from deploy.local.image.errors import EngineMissingError, ImageError

TAG = "localhost/hubblewatch-python:stand-in"
PATH = "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
PACKAGES = ("ca-certificates", "python3", "python3-venv", "tzdata")
OF_THIS_MACHINE = ("/etc/pip.conf", "/etc/ssl/certs/ca-certificates.crt")
"""Where pip finds packages and whom it trusts: as here."""


def make_base(engine: Engine) -> str:
    """Make the stand-in for the Dockerfile's PYTHON_IMAGE; return its tag.

    It is this Debian release (elsewhere the stable one) with its Python, at the path that the real
    one has. Raises EngineMissingError without mmdebstrap, ImageError if that fails.
    """
    mmdebstrap = shutil.which("mmdebstrap")
    if mmdebstrap is None:
        raise EngineMissingError("a stand-in needs mmdebstrap: apt-get install mmdebstrap")
    hooks = ['ln -s ../../bin/python3 "$1/usr/local/bin/python"']
    hooks += [f"upload {path} {path}" for path in OF_THIS_MACHINE if Path(path).exists()]
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder) / "root.tar"
        made = subprocess.run(
            [
                *(mmdebstrap, "--quiet", "--variant=minbase", f"--include={','.join(PACKAGES)}"),
                *(f"--customize-hook={hook}" for hook in hooks),
                *(_release(), str(archive)),
            ],
            capture_output=True,
            text=True,
            timeout=BUILT_WITHIN_SECONDS,
            check=False,
        )
        if made.returncode != 0:
            raise ImageError(f"mmdebstrap ended with {made.returncode}:\n{made.stderr[-2000:]}")
        engine.import_root(archive, TAG, PATH)
    return TAG


def _release() -> str:
    try:
        system = platform.freedesktop_os_release()
    except OSError:
        return "stable"
    return system.get("VERSION_CODENAME", "stable") if system.get("ID") == "debian" else "stable"
