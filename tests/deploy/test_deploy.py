"""What no schema of systemd, Compose or Kubernetes can see: that deploy/ fits the program."""

from __future__ import annotations

import base64
import re
import shlex
import string
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from invoiceapp import create_app
from invoiceapp.config import load
from invoiceapp.discovery.client import Discovery
from invoiceapp.gateways.base import registry
from invoiceapp.services.bell import Kind

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
UNITS = DEPLOY / "systemd"
COMMON = UNITS / "invoiceapp-.service.d" / "10-common.conf"
#: Read by Python, the shell of the Procfile or a unit itself, and by no setting of ours.
OF_OTHERS = {
    "PATH", "PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE", "XDG_CACHE_HOME", "WORKER_KINDS", "WEB_WORKERS", "BIND", "PORT",
}  # fmt: skip
#: Of other programs' images.
FOREIGN = {"postgres", "valkey"}
ALL_KINDS = {kind.value for kind in Kind if kind is not Kind.TICK}


@dataclass(frozen=True)
class Process:
    """One thing that is started somewhere below deploy/."""

    name: str
    command: list[str]
    grace: int
    """Seconds between SIGTERM and SIGKILL"""

    def runs(self, *words: str) -> bool:
        text = " ".join(self.command)
        return all(word in text for word in words)

    @property
    def kinds(self) -> set[str]:
        return set(self.command[self.command.index("invoiceapp.jobs.worker") + 1 :]) or ALL_KINDS


def entries(path: Path) -> Iterator[tuple[str, str]]:
    """Keys and values of a unit or an environment file."""
    for line in path.read_text().splitlines():
        key, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            yield key, value


def seconds(text: str) -> int:
    found = re.fullmatch(r"(\d+)s?", text)
    assert found, f"write it in seconds: {text!r}"
    return int(found.group(1))


def of_systemd() -> list[Process]:
    found = []
    for path in UNITS.glob("*.service"):
        values = dict(entries(path))
        command = [word for word in shlex.split(values["ExecStart"]) if word != "$WORKER_KINDS"]
        found.append(Process(path.name, command, seconds(values.get("TimeoutStopSec", "90"))))
    return found


def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    return loaded


def image_command() -> list[str]:
    """Of the image, where nothing else is asked for."""
    text = (DEPLOY / "Dockerfile").read_text().replace("\\\n", "")
    found = re.search(r"^CMD (\[.*\])$", text, re.MULTILINE)
    assert found
    command: list[str] = yaml.safe_load(found.group(1))
    return command


def of_compose() -> list[Process]:
    services = compose()["services"].items()
    return [
        Process(name, one.get("command", image_command()), seconds(one.get("stop_grace_period", "10s")))
        for name, one in services
        if name not in FOREIGN
    ]


def manifests() -> Iterator[dict[str, Any]]:
    for path in (DEPLOY / "kubernetes").glob("*.yaml"):
        yield from yaml.safe_load_all(path.read_text())


def pods() -> dict[str, dict[str, Any]]:
    """The pod of each thing that has one, by its name."""
    found = {}
    for one in manifests():
        spec = one.get("spec", {})
        spec = spec.get("jobTemplate", {}).get("spec", spec)
        if "template" in spec:
            found[f"{one['kind']}/{one['metadata']['name']}"] = spec["template"]["spec"]
    return found


def of_kubernetes() -> list[Process]:
    return [
        Process(name, container.get("args", image_command()), pod["terminationGracePeriodSeconds"])
        for name, pod in pods().items()
        for container in pod["containers"]
    ]


PLATFORMS = pytest.mark.parametrize("processes", [of_systemd(), of_compose(), of_kubernetes()],
                                    ids=["systemd", "compose", "kubernetes"])  # fmt: skip


def workers(processes: list[Process]) -> list[Process]:
    return [one for one in processes if one.runs("invoiceapp.jobs.worker")]


@PLATFORMS
def test_every_process_of_the_procfile_is_started_everywhere(processes):
    for line in (ROOT / "Procfile").read_text().splitlines():
        name, _, command = line.partition(": ")
        essence = command.split()[:2] if command.startswith("gunicorn") else command.split()[1:]
        assert any(one.runs(*essence) for one in processes), name
    assert any(one.runs("flask", "db", "upgrade") or one.runs("flask,", "db") for one in processes)


@PLATFORMS
def test_the_web_has_the_options_of_the_procfile(processes):
    [web] = [one for one in processes if one.runs("gunicorn")]
    wanted = set(re.findall(r"--[a-z-]+", (ROOT / "Procfile").read_text()))
    assert wanted <= set(web.command)
    graceful = int(web.command[web.command.index("--graceful-timeout") + 1])
    assert web.grace > graceful, "it would be killed while it ends what it has begun"


@PLATFORMS
def test_every_kind_of_work_has_a_worker(processes):
    assert set().union(*(one.kinds for one in workers(processes))) == ALL_KINDS


@PLATFORMS
def test_a_worker_may_end_the_longest_send_before_it_is_killed(processes):
    longest = max(transport.DEADLINE for transport in registry().values()) + Discovery.DEADLINE
    assert [one.name for one in workers(processes) if one.grace <= longest] == []


@PLATFORMS
def test_a_named_kind_is_one_that_exists(processes):
    assert set().union(*(one.kinds for one in workers(processes))) <= ALL_KINDS


def test_every_variable_is_one_that_the_program_reads():
    read = set(re.findall(r'"([A-Z][A-Z0-9_]{3,})"', (ROOT / "invoiceapp" / "config.py").read_text()))
    read |= {f"{name}_FILE" for name in read} | OF_OTHERS
    assert {name: sorted(set(used) - read) for name, used in variables().items() if set(used) - read} == {}


def variables() -> dict[str, list[str]]:
    """Names of environment variables, by the file that sets them."""
    in_units = {
        path.name: [
            word.partition("=")[0]
            for key, value in entries(path)
            if key == "Environment"
            for word in shlex.split(value)
        ]
        for path in [COMMON, *UNITS.glob("*.service")]
    }
    example = re.findall(r"^#?([A-Z][A-Z0-9_]+)=", (UNITS / "invoiceapp.env").read_text(), re.MULTILINE)
    in_image = re.findall(r"^(?:ENV +| +)([A-Z_]+)=", _after_first_from(), re.MULTILINE)
    config = next(one for one in manifests() if one["kind"] == "ConfigMap")
    return {
        **in_units, "invoiceapp.env": example, "Dockerfile": in_image, "compose.yaml": list(compose()["x-settings"]),
        "config.yaml": list(config["data"]),
    }  # fmt: skip


def _after_first_from() -> str:
    """The Dockerfile's last stage: what is set before is not in the image."""
    return (DEPLOY / "Dockerfile").read_text().rpartition("\nFROM ")[2]


def test_every_secret_that_a_setting_names_is_there():
    config = next(one for one in manifests() if one["kind"] == "ConfigMap")["data"]
    secret = next(one for one in manifests() if one["kind"] == "Secret")["stringData"]
    named = {value.rpartition("/")[2] for key, value in config.items() if key.endswith("_FILE")}
    assert named <= set(secret)
    mounted = {value.rpartition("/")[2] for key, value in compose()["x-settings"].items() if key.endswith("_FILE")}
    assert mounted == set(compose()["x-program"]["secrets"]) <= set(compose()["secrets"])
    loaded = {value.partition(":")[0] for key, value in entries(COMMON) if key == "LoadCredential"}
    assert loaded == {value.rpartition("/")[2] for key, value in entries(COMMON) if "_FILE=" in value}


def test_no_secret_lies_in_a_file_of_ours():
    secret = next(one for one in manifests() if one["kind"] == "Secret")
    assert set(secret["stringData"].values()) == {""}
    assert re.search(r"SECRET|PASSWORD|KEYS", _after_first_from()) is None


def test_every_image_has_a_version():
    ours = {one["name"]: one["newTag"] for file in manifests() for one in file.get("images", [])}
    used = [container["image"] for pod in pods().values() for container in pod["containers"]]
    assert set(used) == set(ours), "the kustomization gives the version"
    foreign = [one["image"] for name, one in compose()["services"].items() if name in FOREIGN]
    bases = re.findall(r"^ARG PYTHON=(\S+)", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)
    for tag in [*ours.values(), *bases, *(image.partition(":")[2] for image in foreign)]:
        assert re.match(r"\d+\.\d+", tag), tag
    assert ":?" in compose()["x-program"]["image"], "Compose asks for the version"


def test_nothing_of_ours_runs_as_root():
    assert dict(entries(COMMON))["User"] == "invoiceapp"
    assert not any(key == "User" for path in UNITS.glob("*.service") for key, _ in entries(path))
    users = re.findall(r"^USER (\d+):\d+$", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)
    assert users and "0" not in users
    assert compose()["x-program"]["user"].startswith(users[-1])
    for name, pod in pods().items():
        assert pod["securityContext"]["runAsNonRoot"] and pod["securityContext"]["runAsUser"] == int(users[-1]), name
        for container in pod["containers"]:
            assert container["securityContext"]["readOnlyRootFilesystem"], name
            assert not container["securityContext"]["allowPrivilegeEscalation"], name


def test_the_image_takes_nothing_but_what_runs():
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    assert "*" in lines
    for line in lines:
        assert not line.startswith("!") or (ROOT / line[1:]).exists(), line
    for source in re.findall(r"^COPY (?!--from)(\S+) ", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE):
        assert source == "." or f"!{source}" in lines, source


def test_probes_ask_addresses_that_exist(client):
    [web] = pods()["Deployment/web"]["containers"]
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        # By the pod's number, as Kubernetes does.
        assert client.get(web[probe]["httpGet"]["path"], base_url="http://10.0.0.7:8000").status_code in (200, 503)
    asked = re.findall(r"http://127\.0\.0\.1:8000(/\w+)", (DEPLOY / "Dockerfile").read_text())
    assert [client.get(path).status_code for path in asked] == [200]


def test_probes_are_answered_with_the_settings_of_the_manifests(tmp_path):
    """By a number, without TLS and without the ingress' headers, where BASE_URL is https and a proxy is trusted."""
    settings = next(one for one in manifests() if one["kind"] == "ConfigMap")["data"]
    own = {
        key: value for key, value in settings.items() if not key.endswith("_FILE") and not key.startswith("ARCHIVE_")
    }
    key = "k1:" + base64.b64encode(bytes(range(32))).decode()
    own |= {
        "INSTANCE_DIR": str(tmp_path), "SECRET_KEY": string.ascii_letters, "PASSWORD_SALT": string.ascii_letters,
        "ENCRYPTION_KEYS": key, "REDIS_URL": f"unix://{tmp_path}/none.sock", "METRICS_TOKEN": string.ascii_letters,
    }  # fmt: skip
    client = create_app(load(own)).test_client()
    by_number = {"base_url": "http://10.0.0.7:8000"}
    assert client.get("/healthz", **by_number).status_code == 200
    answer = client.get("/readyz", **by_number)
    assert (answer.status_code, answer.json["status"]) == (503, "not ready"), "it has no tables, and says so itself"
    shown = {"Authorization": f"Bearer {string.ascii_letters}"}
    assert [client.get("/metrics", headers=one, **by_number).status_code for one in ({}, shown)] == [401, 200]
    assert client.get("/login", **by_number).status_code == 400


def test_the_ingress_has_the_host_of_the_settings():
    config = next(one for one in manifests() if one["kind"] == "ConfigMap")["data"]
    host = config["BASE_URL"].removeprefix("https://")
    ingress = next(one for one in manifests() if one["kind"] == "Ingress")["spec"]
    assert [rule["host"] for rule in ingress["rules"]] == [host] == ingress["tls"][0]["hosts"]


def test_every_manifest_is_in_the_kustomization_or_a_template():
    folder = DEPLOY / "kubernetes"
    listed = yaml.safe_load((folder / "kustomization.yaml").read_text())["resources"]
    lying = {path.name for path in folder.glob("*.yaml")} - {"kustomization.yaml", "secret.template.yaml"}
    assert set(listed) == lying
