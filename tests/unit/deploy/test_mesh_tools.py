"""What is said where the tools of the mesh's tests cannot be built."""

import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[3]
COMMANDS = ("make", "bash", "env", "dirname", "cat", "sha256sum", "cut")


def test_without_go_the_tests_of_the_mesh_fail_and_say_so(tmp_path: Path) -> None:
    """Instead of being left out, each of them, as if all were well."""
    checkout, programs = tmp_path / "checkout", tmp_path / "programs"
    shutil.copytree(ROOT / "tests/mesh/tools", checkout / "tests/mesh/tools")
    shutil.copy(ROOT / "Makefile", checkout)
    programs.mkdir()
    for name in COMMANDS:
        found = shutil.which(name)
        assert found
        (programs / name).symlink_to(found)
    make = [programs / "make", "test-mesh"]
    run = subprocess.run(
        make, cwd=checkout, env={"PATH": str(programs)}, capture_output=True, text=True, check=False
    )
    assert run.returncode != 0
    assert "built by Go, which is not here: install it" in run.stderr
    assert "pytest" not in run.stdout + run.stderr
