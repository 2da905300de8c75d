"""What stands in for public images and for torch, on a machine that can pull neither.

Python's slim image is a bookworm made by debootstrap, with Debian's Python 3.11 and its shared
library. NVIDIA's Triton image and PostgreSQL's are the same, without their servers. torch is a
wheel that points at this machine's packages, which a container mounts at MACHINE_PACKAGES: the real
one would make a layer of 4.7 GB.
"""

import hashlib
import shutil
import subprocess
import sysconfig
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
CACHE = ROOT / "build" / "images-test"

DEBIAN_PACKAGES = "python3,python3-pip,libpython3.11,ca-certificates"
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
MACHINE_PACKAGES = "/machine-packages"
TORCH = "torch-2.13.0+standin"
WHEELS = "/wheels"

CONTAINERFILE = f"""\
FROM scratch
ADD bookworm.tar /
COPY {CERTIFICATES.name} {CERTIFICATES}
COPY {TORCH}-py3-none-any.whl {WHEELS}/
"""


def mounted_packages() -> str:
    """The volume that a container with the stand-in of torch needs."""
    return f"{sysconfig.get_path('purelib')}:{MACHINE_PACKAGES}:ro"


def prepare(directory: Path) -> None:
    """Lay out what the stand-in of the public images is built from."""
    shutil.copy(_bookworm(), directory / "bookworm.tar")
    shutil.copy(CERTIFICATES, directory)
    _write_torch(directory / f"{TORCH}-py3-none-any.whl")
    (directory / "Containerfile").write_text(CONTAINERFILE)


def _bookworm() -> Path:
    """Made once; the next run finds it."""
    packages = hashlib.sha256(DEBIAN_PACKAGES.encode()).hexdigest()[:8]
    archive = CACHE / f"bookworm-{packages}.tar"
    if not archive.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as scratch:
            tree = Path(scratch, "tree")
            make = ["debootstrap", "--variant=minbase", f"--include={DEBIAN_PACKAGES}"]
            subprocess.run([*make, "bookworm", tree], check=True, stdout=subprocess.DEVNULL)
            shutil.rmtree(tree / "var/cache/apt/archives")
            whole = Path(scratch, archive.name)
            subprocess.run(["tar", "-C", str(tree), "-cf", str(whole), "."], check=True)
            shutil.move(whole, archive)
    return archive


def _write_torch(wheel: Path) -> None:
    info = f"{TORCH}.dist-info"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("torch.pth", f"{MACHINE_PACKAGES}\n")
        archive.writestr(
            f"{info}/METADATA", "Metadata-Version: 2.1\nName: torch\nVersion: 2.13.0+standin\n"
        )
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
