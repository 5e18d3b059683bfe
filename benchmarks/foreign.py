"""Peers that are not Python: each in one process that lives as long as the measurement and times its windows itself.

Their packages are fetched once, with the versions that ``peers_js`` and ``peers_java`` pin, into ``build/bench``. Where the
registry cannot be reached or the machine has no node, Maven or JDK, a line says so and the others are measured.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from invoiceapp.formats.base import registry

from . import documents, results
from .measure import QUICK, Window

HERE = Path(__file__).parent
COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies"
#: Seconds: fetching, and one window of the slowest peer.
_FETCHED = 300
#: Seconds that a JVM works before it is measured.
WARM = 3 if QUICK else 15

Windows = Callable[[int], dict[str, Window]]


@contextlib.contextmanager
def node(sizes: Sequence[int]) -> Iterator[Windows | None]:
    """Writers of npm by number of lines, or None."""
    home = results.FOLDER.resolve() / "node"
    if not (shutil.which("node") and shutil.which("npm")):
        print("skipped: the libraries of npm need node and npm")
        yield None
        return
    try:
        _npm(home)
    except (OSError, subprocess.SubprocessError) as error:
        print(f"skipped: npm cannot fetch its libraries ({type(error).__name__})")
        yield None
        return
    shutil.copy(HERE / "peers_js" / "bench.mjs", home)
    named = {"@pixeldrive/peppol-toolkit, UBL": "toolkit", "@e-invoice-eu/core, UBL": "core"}
    with _papers(sizes) as folder, _process(["node", str(home / "bench.mjs"), str(folder)]) as ask:
        yield lambda lines: {
            name: lambda seconds, key=key: ask(f"{key} {lines} {seconds}") for name, key in named.items()
        }


def _npm(home: Path) -> None:
    wanted = (HERE / "peers_js" / "package.json").read_bytes()
    home.mkdir(parents=True, exist_ok=True)
    stamp = home / "package.installed"
    if stamp.exists() and stamp.read_bytes() == wanted:
        return
    (home / "package.json").write_bytes(wanted)
    command = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--silent"]
    subprocess.run(command, cwd=home, check=True, timeout=_FETCHED, stdin=subprocess.DEVNULL)
    stamp.write_bytes(wanted)


@contextlib.contextmanager
def phive(sizes: Sequence[int]) -> Iterator[Windows | None]:
    """phive's validation by number of lines, in a warm JVM, or None."""
    home = results.FOLDER.resolve() / "phive"
    if not (shutil.which("mvn") and shutil.which("javac")):
        print("skipped: phive needs Maven and a JDK")
        yield None
        return
    try:
        classes = _maven(home)
    except (OSError, subprocess.SubprocessError) as error:
        print(f"skipped: Maven cannot fetch phive ({type(error).__name__})")
        yield None
        return
    with (
        _papers({10, *sizes}) as folder,
        _process(["java", "-cp", classes, "Bench", str(folder), str(WARM)]) as ask,
    ):
        yield lambda lines: {"phive": lambda seconds: ask(f"{lines} {seconds}")}


def _maven(home: Path) -> str:
    """The class path of phive and of what drives it."""
    pom, stamp = HERE / "peers_java" / "pom.xml", home / "pom.installed"
    jars, classes = home / "jars", home / "classes"
    if not (stamp.exists() and stamp.read_bytes() == pom.read_bytes()):
        shutil.rmtree(jars, ignore_errors=True)
        command = ["mvn", "--batch-mode", "--quiet", "-f", str(pom), COPY, f"-DoutputDirectory={jars}"]
        subprocess.run(command, check=True, timeout=_FETCHED, stdin=subprocess.DEVNULL)
        stamp.write_bytes(pom.read_bytes())
    command = ["javac", "-d", str(classes), "-cp", f"{jars}/*", str(HERE / "peers_java" / "Bench.java")]
    subprocess.run(command, check=True, timeout=_FETCHED)
    return f"{classes}:{jars}/*"


@contextlib.contextmanager
def _papers(sizes: Sequence[int] | set[int]) -> Iterator[Path]:
    """A folder with our Peppol invoice in each size."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        for lines in sizes:
            content = registry()["peppol-bis-3"].write(documents.invoice(lines))
            (Path(name) / f"{lines}.xml").write_bytes(content)
        yield Path(name)


@contextlib.contextmanager
def _process(command: Sequence[str]) -> Iterator[Callable[[str], float]]:
    """A process that says "ready" and then answers each line with a number."""
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        stdin, stdout = process.stdin, process.stdout
        assert stdin is not None
        assert stdout is not None
        if stdout.readline().strip() != "ready":
            raise SystemExit(f"{command[0]} did not start")

        def ask(line: str) -> float:
            stdin.write(line + "\n")
            stdin.flush()
            return float(stdout.readline())

        yield ask
        stdin.close()
