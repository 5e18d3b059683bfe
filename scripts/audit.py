"""Known vulnerabilities, insecure code, licences, and the list of parts. Exit codes:

0: all fine. 1: something to repair. 3: nothing to repair was found, but the vulnerability service could not be asked
about every package, so that nobody knows.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
SBOM = ROOT / "build" / "sbom.json"
NOT_ASKED = 3
#: Asked in turn, until one knows all packages.
SERVICES = ("pypi", "osv")


def vulnerabilities(lock: str) -> int:
    """Ask about the exact versions of a lock file, without installing anything."""
    unasked = "no service answered"
    for service in SERVICES:
        command = [
            str(BIN / "pip-audit"),
            "--requirement",
            lock,
            "--require-hashes",
            "--disable-pip",
            "--format",
            "json",
        ]
        command += ["--vulnerability-service", service, "--progress-spinner", "off", "--timeout", "20"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        try:
            packages = json.loads(done.stdout)["dependencies"]
        except (ValueError, KeyError):
            unasked = f"{service} did not answer"
            continue
        if known := [(one, bug) for one in packages for bug in one.get("vulns", ())]:
            for one, bug in known:
                print(
                    f"{lock}: {one['name']} {one['version']}: {bug['id']}, repaired in {', '.join(bug['fix_versions']) or '–'}"
                )
            return 1
        skipped = [one["name"] for one in packages if "skip_reason" in one]
        if not skipped:
            print(f"{lock}: {len(packages)} packages, no known vulnerability ({service})")
            return 0
        unasked = f"{service} does not know {len(skipped)} of {len(packages)} packages, {skipped[0]} among them"
    print(
        f"{lock}: NOT AUDITED. The vulnerability service could not be asked: {unasked}. Run it again where it can be reached."
    )
    return NOT_ASKED


def code() -> int:
    """Bandit, as pyproject.toml says."""
    command = [str(BIN / "bandit"), "-c", "pyproject.toml", "-r", "invoiceapp", "migrations", "app.py", "-ll", "-q"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    # Beside its findings it complains of every "nosec" that it met twice.
    print(done.stdout.strip() if done.returncode else "bandit: nothing found")
    return min(1, done.returncode)


def licences() -> int:
    """See licences.py."""
    return subprocess.run([sys.executable, str(ROOT / "scripts" / "licences.py")], cwd=ROOT, check=False).returncode


def parts() -> int:
    """What the product is made of, as CycloneDX JSON with hashes; checked against the schema while it is written."""
    SBOM.parent.mkdir(exist_ok=True)
    command = [
        str(BIN / "cyclonedx-py"),
        "requirements",
        "requirements.txt",
        "--pyproject",
        "pyproject.toml",
        "--validate",
    ]
    command += ["--output-reproducible", "--of", "JSON", "-o", str(SBOM)]
    if subprocess.run(command, cwd=ROOT, check=False).returncode:
        return 1
    print(f"{SBOM.relative_to(ROOT)}: {len(json.loads(SBOM.read_text())['components'])} components")
    return 0


def main() -> int:
    """Everything, however the first ends; ``sbom`` makes the list of parts only."""
    if sys.argv[1:] == ["sbom"]:
        return parts()
    results = [
        vulnerabilities("requirements.txt"),
        vulnerabilities("requirements-dev.txt"),
        code(),
        licences(),
        parts(),
    ]
    return 1 if 1 in results else max(results)


if __name__ == "__main__":
    sys.exit(main())
