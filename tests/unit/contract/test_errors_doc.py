import runpy
from pathlib import Path

DOCS = Path(__file__).parents[3] / "docs"


def test_the_table_of_errors_is_that_of_the_contract() -> None:
    script = runpy.run_path(str(DOCS / "make_errors.py"))
    assert (DOCS / "errors.md").read_text() == script["table"](), "run make protos"
