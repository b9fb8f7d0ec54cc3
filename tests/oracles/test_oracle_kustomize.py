"""Kustomize makes manifests of deploy/, and Kubernetes' own schemas take them."""

from __future__ import annotations

import base64
import copy
import re
import shutil

import kubernetes_validate
import pytest
import yaml

from docs.site import ROOT
from tests.oracles import kustomize

pytestmark = pytest.mark.oracle

IMAGE = "registry.example/streamfit:0.1.0"
OWN = "tensorflow.training.image"

CURRENT = {
    "name": "TENSORFLOW_TRAINING_MODEL_IMAGE",
    "valueFrom": {"configMapKeyRef": {"name": "kafkaml-configmap", "key": OWN}},
}
OF_2020 = {"name": "TRAINING_MODEL_IMAGE", "value": "localhost:5000/training"}


@pytest.fixture(autouse=True)
def kustomize_there():
    kustomize.require()


@pytest.fixture
def deploy(tmp_path):
    """Copy the example, for kustomizations beside it; returns their folder."""
    shutil.copytree(ROOT / "deploy", tmp_path / "deploy")
    return tmp_path


def platform(folder, variable):
    """Write a platform as far as it has to do with us: a back-end and its settings."""
    folder.mkdir()
    container = {
        "name": "backend",
        "image": "kafka-ml-backend",
        "env": [
            {"name": "CONTROL_TOPIC", "value": "control"},
            variable,
            {"name": "PYTORCH_TRAINING_MODEL_IMAGE", "value": "another"},
        ],
    }
    labels = {"name": "pod-backend"}
    backend = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "backend"},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [container]},
            },
        },
    }
    settings = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "kafkaml-configmap"},
        "data": {"control.topic": "control", OWN: "platform/training:v1.3"},
    }
    logger = copy.deepcopy(backend)
    logger["metadata"]["name"] = "kafka-control-logger"
    write(folder / "platform.yaml", settings, backend, logger)
    write(folder / "kustomization.yaml", {"resources": ["platform.yaml"]})


def write(path, *documents):
    path.write_text(yaml.safe_dump_all(documents))


def by_name(documents):
    return {(each["kind"], each["metadata"]["name"]): each for each in documents}


def with_component(deploy, component):
    """Return the platform as it is, and as it is with a component of ours."""
    changed = deploy / "changed"
    changed.mkdir()
    write(
        changed / "kustomization.yaml",
        {"resources": ["../platform"], "components": [f"../deploy/{component}"]},
    )
    return [
        by_name(kustomize.rendered(each)) for each in (deploy / "platform", changed)
    ]


@pytest.mark.parametrize("version", ["1.31", kubernetes_validate.latest_version()])
def test_valid(version):
    """Every document of the Job is what Kubernetes knows, from 1.31 on."""
    documents = kustomize.rendered(ROOT / "deploy/base")

    kinds = ["ConfigMap", "Job", "PersistentVolumeClaim", "Secret"]
    assert kinds == sorted(each["kind"] for each in documents)
    for document in documents:
        kubernetes_validate.validate(document, version, strict=True)


def test_invalid():
    """What Kubernetes does not know is found."""
    (job,) = [d for d in kustomize.rendered(ROOT / "deploy/base") if d["kind"] == "Job"]
    job["spec"]["podFailurePolicies"] = {}

    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(job, "1.31", strict=True)


def test_names(deploy):
    """Each of several jobs has its own variables, password and volume."""
    own = deploy / "own"
    own.mkdir()
    write(
        own / "kustomization.yaml",
        {
            "resources": ["../deploy/base"],
            "nameSuffix": "-7",
            "configMapGenerator": [
                {"name": "streamfit", "behavior": "merge", "literals": ["CASE=2"]}
            ],
        },
    )

    documents = kustomize.rendered(own)

    found = {each["kind"]: each["metadata"]["name"] for each in documents}
    (job,) = [each for each in documents if each["kind"] == "Job"]
    (settings,) = [each for each in documents if each["kind"] == "ConfigMap"]
    pod = job["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    volumes = {each["name"]: each for each in pod["volumes"]}
    assert "streamfit-7" == found["Job"]
    assert IMAGE == container["image"]
    assert [{"configMapRef": {"name": found["ConfigMap"]}}] == container["envFrom"]
    assert found["Secret"] == volumes["kafka"]["secret"]["secretName"]
    claim = volumes["state"]["persistentVolumeClaim"]["claimName"]
    assert found["PersistentVolumeClaim"] == claim == "streamfit-state-7"
    assert ("2", "1") == (settings["data"]["CASE"], settings["data"]["DEPLOYMENT_ID"])


def test_kafka_ml(deploy):
    """The platform's settings name our image, and nothing else is changed."""
    platform(deploy / "platform", CURRENT)

    before, after = with_component(deploy, "kafka-ml")

    before["ConfigMap", "kafkaml-configmap"]["data"][OWN] = IMAGE
    assert before == after


def test_kafka_ml_2020(deploy):
    """So does the back-end's manifest of 2020."""
    platform(deploy / "platform", OF_2020)

    before, after = with_component(deploy, "kafka-ml-2020")

    backend = before["Deployment", "backend"]["spec"]["template"]["spec"]
    (variable,) = [e for e in backend["containers"][0]["env"] if e == OF_2020]
    variable["value"] = IMAGE
    assert by_name_of_variable(before) == by_name_of_variable(after)


def by_name_of_variable(documents):
    """Sort variables: Kustomize puts those that it changes first."""
    for each in documents.values():
        if each["kind"] == "Deployment":
            for container in each["spec"]["template"]["spec"]["containers"]:
                container["env"].sort(key=lambda variable: variable["name"])
    return documents


def test_documented(deploy):
    """The page's kustomization makes a job of one's own."""
    page = ROOT.joinpath("docs/operating.md").read_text()
    (own,) = re.findall(r"```yaml\n# kustomization.yaml\n(.*?)```", page, re.DOTALL)
    deploy.joinpath("own").mkdir()
    deploy.joinpath("own/password").write_text("secret")
    text = own.replace("streamfit/deploy", "../deploy")
    deploy.joinpath("own/kustomization.yaml").write_text(text)

    made = {each["kind"]: each for each in kustomize.rendered(deploy / "own")}

    (container,) = made["Job"]["spec"]["template"]["spec"]["containers"]
    assert "streamfit-digits" == made["Job"]["metadata"]["name"]
    assert "my.registry/streamfit:0.1.0" == container["image"]
    assert "7" == made["ConfigMap"]["data"]["DEPLOYMENT_ID"]
    assert b"secret" == base64.b64decode(made["Secret"]["data"]["password"])
