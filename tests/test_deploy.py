"""What the example for Kubernetes says is what the job and the image are."""

from __future__ import annotations

import re
import tomllib

import pytest
import yaml
from attrs import fields

from adapters.kafka.properties import VARIABLES
from adapters.status.watching import _routes
from bootstrap.checking import check_environment
from bootstrap.main import EXIT_CODES
from bootstrap.termination import DEFAULT, HINTS
from docs.reference import SECTIONS
from docs.site import ROOT
from domain.errors import SettingsInvalid
from tests.image.dockerfile import Dockerfile

DEPLOY = ROOT / "deploy"


@pytest.fixture(scope="module")
def kustomization():
    return yaml.safe_load(DEPLOY.joinpath("base/kustomization.yaml").read_text())


@pytest.fixture(scope="module")
def job():
    """Return what the Job is asked to be."""
    return yaml.safe_load(DEPLOY.joinpath("base/job.yaml").read_text())["spec"]


@pytest.fixture(scope="module")
def pod(job):
    return job["template"]["spec"]


@pytest.fixture(scope="module")
def container(pod):
    (container,) = pod["containers"]
    return container


@pytest.fixture(scope="module")
def environ():
    """Return the variables that the container gets."""
    lines = DEPLOY.joinpath("base/job.env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if not line.startswith("#"))


@pytest.fixture(scope="module")
def image():
    """Return the stage that becomes the image."""
    return Dockerfile.read(ROOT / "Dockerfile").final


def folders(container):
    return {mount["mountPath"]: mount for mount in container["volumeMounts"]}


class TestVariables:
    def test_known(self, environ):
        """Each is one that a settings class reads, or that librdkafka knows."""
        classes = [cls for section in SECTIONS for cls in section.classes]
        read = {f.name.upper() for cls in classes for f in fields(cls)} | {"RESULT_ID"}

        known = read | VARIABLES.keys() | {f"{name}_FILE" for name in VARIABLES}
        assert set() == environ.keys() - known

    def test_complete(self, environ, tmp_path):
        """They are all that the job needs, and nothing is wrong with them."""
        (tmp_path / "password").write_text("secret")
        here = {
            name: value.replace("/state", str(tmp_path)).replace(
                "/run/secrets/kafka", str(tmp_path)
            )
            for name, value in environ.items()
        }

        check_environment(here)

        del here["BATCH"]
        with pytest.raises(SettingsInvalid, match="BATCH"):
            check_environment(here)

    def test_folders(self, environ, container):
        """What the job writes to is a volume, and what it reads from is there."""
        writable = [p for p, m in folders(container).items() if not m.get("readOnly")]
        written = [v for k, v in environ.items() if re.search("_(DIR|FOLDER)$", k)]
        secrets = [v for k, v in environ.items() if k.endswith("_FILE")]

        assert written
        for path in written:
            assert any(f"{path}/".startswith(f"{folder}/") for folder in writable)
        assert {path.rpartition("/")[0] for path in secrets} < set(folders(container))

    def test_password(self, environ, kustomization, pod, container):
        """The Secret has the file that the variable names."""
        (secret,) = kustomization["secretGenerator"]
        (volume,) = [v for v in pod["volumes"] if "secret" in v]
        place = next(p for p, m in folders(container).items() if m["name"] == "kafka")

        assert secret["name"] == volume["secret"]["secretName"]
        names = {literal.partition("=")[0] for literal in secret["literals"]}
        assert {
            value.removeprefix(f"{place}/")
            for name, value in environ.items()
            if name.endswith("_FILE")
        } == names


class TestProbes:
    def test_paths(self, container):
        """They ask what the status port answers."""
        answered = _routes(str, str, bytes, None, 1.0).keys()
        probes = [v["httpGet"] for k, v in container.items() if k.endswith("Probe")]

        assert ["/livez", "/livez", "/readyz"] == sorted(
            each["path"] for each in probes
        )
        assert {each["path"] for each in probes} <= answered
        assert {"status"} == {each["port"] for each in probes}

    def test_port(self, environ, container):
        """The status listens where they ask."""
        (port,) = container["ports"]

        assert "status" == port["name"]
        assert environ["STREAMFIT_STATUS_PORT"] == str(port["containerPort"])
        assert "0.0.0.0" == environ["STREAMFIT_STATUS_HOST"]


class TestEnd:
    def test_final_codes(self, job, container, pod):
        """The Job gives up where a restart does not help, and nowhere else."""
        ignored, failed = job["podFailurePolicy"]["rules"]
        final = [c for kind, c in EXIT_CODES.items() if "does not help" in HINTS[kind]]

        assert ("Ignore", "FailJob") == (ignored["action"], failed["action"])
        assert ["DisruptionTarget"] == [e["type"] for e in ignored["onPodConditions"]]
        codes = failed["onExitCodes"]
        assert "In" == codes["operator"]
        assert sorted(final) == codes["values"]
        assert container["name"] == codes["containerName"]
        assert "Never" == pod["restartPolicy"]  # a policy asks for it

    def test_last_word(self, container, pod):
        """It is looked for where it is written, and there is time to write it."""
        assert DEFAULT == container["terminationMessagePath"]
        assert 10 < pod["terminationGracePeriodSeconds"]

    def test_documented(self):
        """The pages' shorter policies have the same codes."""
        (told,) = re.findall(
            r"FailJob.*?values: \[(.*?)\]",
            DEPLOY.joinpath("base/job.yaml").read_text(),
            re.DOTALL,
        )
        for page in (ROOT / "README.md", *ROOT.joinpath("docs").glob("*.md")):
            for codes in re.findall(
                r"onExitCodes: .*values: \[(.*?)\]", page.read_text()
            ):
                assert told == codes, page


class TestSecurity:
    def test_restricted(self, pod, container):
        """All that Kubernetes calls restricted, and a read-only root."""
        assert {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        } == container["securityContext"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert {"type": "RuntimeDefault"} == pod["securityContext"]["seccompProfile"]
        assert pod["automountServiceAccountToken"] is False

    def test_user(self, pod, image):
        """The image's user is none that runAsNonRoot refuses, and owns the volumes."""
        user, group = map(int, image.only("USER").text.split(":"))

        assert 0 < user
        assert group == pod["securityContext"]["fsGroup"]
        assert "runAsUser" not in pod["securityContext"]

    def test_temporary(self, pod, container, image):
        """The one folder that the image wants to be writable is, and has an end."""
        (volume,) = [v for v in pod["volumes"] if "emptyDir" in v]
        place = next(
            p for p, m in folders(container).items() if m["name"] == volume["name"]
        )

        set_there = {k: v for each in image.all("ENV") for k, v in each.pairs().items()}
        assert place == set_there["HOME"] == image.only("WORKDIR").text
        assert volume["emptyDir"]["sizeLimit"]

    def test_volumes(self, pod, container):
        """Every volume is mounted."""
        mounted = {mount["name"] for mount in container["volumeMounts"]}

        assert {volume["name"] for volume in pod["volumes"]} == mounted


class TestImage:
    def test_command(self, container):
        """The image's own entry point, without arguments, is the job."""
        assert not {"command", "args"} & container.keys()

    def test_version(self, kustomization, container):
        """Every manifest names this version's image."""
        project = tomllib.loads(ROOT.joinpath("pyproject.toml").read_text())["project"]
        (image,) = kustomization["images"]
        told = re.findall(
            r"registry\.example/streamfit:([\w.]+)",
            "\n".join(path.read_text() for path in DEPLOY.rglob("*.yaml")),
        )

        assert container["image"] == image["name"] == project["name"]
        assert {project["version"]} == {image["newTag"], *told}
        assert 2 == len(told)
