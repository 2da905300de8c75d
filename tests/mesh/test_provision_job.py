"""What the chart has run before a release starts, on a real PostgreSQL that has nothing yet."""

import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tests.mesh.charts import ROOT, Object, rendered
from tests.parts.aws import Aws
from tests.parts.named_postgres import named_postgres, variables
from tests.parts.postgres import BINARIES

VALUES = ROOT / "deploy/charts/predict-mesh/ci/all-values.yaml"
SINGLE = ["monitoring", "training", "annotation"]
SEVERAL = ["gateway", "relay", "rollout", "worker-genre", "worker-sentiment"]


def job() -> Object:
    found = rendered("predict-mesh", VALUES).named("Job", "provision")
    pod: Object = found["spec"]["template"]["spec"]
    return pod


def test_its_logins_are_those_of_the_secret() -> None:
    folders = {
        volume["name"]: [item["path"] for item in volume["secret"]["items"]]
        for volume in job()["volumes"]
        if "secret" in volume
    }
    assert folders == {"single": SINGLE, "several": SEVERAL}


def test_a_password_that_programs_would_read_otherwise_is_refused(tmp_path: Path) -> None:
    script = script_with_logins(tmp_path)
    (tmp_path / "logins/several/worker-genre").write_text("secret\n")  # pods would send both lines
    run = subprocess.run(["sh", "-ec", script], capture_output=True, text=True, check=False)
    assert run.returncode != 0
    assert "the password of worker-genre" in run.stderr
    assert "secret" not in run.stderr + run.stdout


@pytest.mark.parametrize("has_superuser", [True, False])
def test_an_empty_server_has_all_that_programs_need_then_and_again(
    tmp_path: Path, has_superuser: bool
) -> None:
    passwords = tmp_path / "passwords"
    passwords.mkdir()
    (passwords / "predict").write_text("of-the-owner")
    (tmp_path / "databases").write_text("predict predict createrole\n")
    script = script_with_logins(tmp_path)
    (groups,), (provision,) = job()["initContainers"], job()["containers"]
    told = {v["name"]: v["value"] for v in provision["env"] if v["name"].startswith("PMESH_")}
    with named_postgres() as conninfo, Aws() as aws:
        superuser = {
            **os.environ,
            **variables(conninfo),
            "PATH": f"{Path(sys.executable).parent}:{BINARIES}:{os.environ['PATH']}",
        }
        database = ROOT / "deploy/docker/postgres/databases.sh"
        subprocess.run([database, tmp_path], env=superuser, check=True)
        in_predict = superuser | {"PGDATABASE": "predict"}
        owner = in_predict | aws.environment | told
        owner |= {"PGUSER": "predict", "PGPASSWORD": "of-the-owner"}
        for _ in ("an installation", "an upgrade"):
            arguments = [word.replace("$(OWNER)", "predict") for word in groups["args"]]
            if has_superuser:
                command = [sys.executable, "-P", "-m", *arguments]
                subprocess.run(command, env=in_predict, check=True, cwd=ROOT)
            subprocess.run(["sh", "-ec", script], env=owner, check=True, cwd=ROOT)
        server = conninfo_to_dict(conninfo) | {"dbname": "predict"}
        for login in [*SINGLE, *SEVERAL]:
            own = {**server, "user": login, "password": f"of-{login}"}
            psycopg.connect(make_conninfo("", **own)).close()
        with psycopg.connect(make_conninfo("", **server)) as connection:
            limits = dict(connection.execute("SELECT rolname, rolconnlimit FROM pg_roles"))
            listed = connection.execute("SELECT id, address FROM models ORDER BY id").fetchall()
    assert (limits["gateway"], limits["relay"], limits["worker-genre"]) == (240, 36, 64)
    assert limits["rollout"] == 41  # two, and two that start early
    assert f"room {sum(limits[login] for login in [*SINGLE, *SEVERAL])}\n" in script
    address = "triton.model-{model}.svc.cluster.local:8001"
    assert [model for model, _ in listed] == ["genre", "sentiment"]
    assert {found for _, found in listed} <= {
        address,
        *(address.format(model=m) for m, _ in listed),
    }


def script_with_logins(folder: Path) -> str:
    """What the job's container runs, with passwords that lie there."""
    for name, logins in {"single": SINGLE, "several": SEVERAL}.items():
        (folder / "logins" / name).mkdir(parents=True)
        for login in logins:
            (folder / "logins" / name / login).write_text(f"of-{login}")
    (provision,) = job()["containers"]
    script: str = provision["args"][0]
    return script.replace("/logins/", f"{folder}/logins/")
