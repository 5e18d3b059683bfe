"""What a target is, when an input is a finding, and the loop that looks for one."""

from __future__ import annotations

import hashlib
import mmap
import re
import signal
import time
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from .mutate import mutated

ROOT = Path(__file__).parents[1]
CORPUS = Path(__file__).parent / "corpus"
#: Seconds of CPU for one small input, and when it is stopped.
MOST_CPU = 2.0
GIVEN_UP = 10.0
_LARGEST_POOL = 400


@dataclass(frozen=True)
class Target:
    """One parser. It returns a value or raises one of ``refusals``; whatever else happens is a finding."""

    name: str
    run: Callable[[bytes], object]
    seeds: Callable[[], Iterable[bytes]]
    refusals: tuple[type[Exception], ...] = ()
    kind: str = "bytes"
    """A key of ``mutate.KINDS``"""
    tokens: tuple[bytes, ...] = ()
    """Words of the format, to put in here and there"""

    def inputs(self) -> list[bytes]:
        """The seeds, and what once was a finding."""
        kept = sorted((CORPUS / self.name).glob("*")) if (CORPUS / self.name).is_dir() else []
        return [*self.seeds(), *(path.read_bytes() for path in kept)]


class Endless(BaseException):
    """Stops an input that takes for ever; nothing may catch it."""


@dataclass(frozen=True)
class Outcome:
    """What an input led to. ``label``: the same for inputs that look alike; ``finding``: what is wrong, or empty."""

    label: str
    finding: str = ""
    detail: str = ""


@contextmanager
def _given_up() -> Iterator[None]:
    def stop(*_: object) -> None:
        raise Endless

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, GIVEN_UP)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def judged(target: Target, content: bytes) -> Outcome:
    """Run a target on an input."""
    start = time.process_time()
    try:
        with _given_up(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            value = target.run(content)
        outcome = Outcome(f"= {_shape(value)}")
    except target.refusals as error:
        outcome = Outcome(f"{type(error).__name__} {_words(error)}")
    except KeyboardInterrupt:
        raise
    # A panic of a library in Rust is no Exception.
    except BaseException as error:
        detail = "".join(traceback.format_exception(error))[-4_000:]
        outcome = Outcome(f"! {type(error).__name__}", f"{type(error).__name__} in {_place(error)}", detail)
    taken = time.process_time() - start
    if taken > MOST_CPU and not outcome.finding:
        return Outcome(f"! slow {outcome.label}", "slow", f"{taken:.1f} s of CPU for {len(content)} bytes")
    return outcome


def _shape(value: object) -> str:
    if isinstance(value, tuple | list):
        return f"{type(value).__name__} of {', '.join(sorted({_shape(one) for one in value[:20]}))}"[:200]
    if isinstance(value, str | bool | None):
        return str(value)[:20]
    filled = [name for name, one in _members(value).items() if one not in (None, (), "", [], {})]
    return f"{type(value).__name__} {len(filled)}"


def _members(value: object) -> dict[str, Any]:
    names = getattr(value, "__dataclass_fields__", None) or ()
    return {name: getattr(value, name) for name in names}


def _words(error: Exception) -> str:
    return re.sub(r"\d+|'[^']*'|“[^”]*”|\S{25,}", "…", str(error))[:60]


def _place(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "/invoiceapp/" in frame.filename]
    frame = (ours or frames)[-1]
    return f"{Path(frame.filename).name}:{frame.name}"


@dataclass
class Campaign:
    """A target, looked at for some time. ``current``: a file that holds the input under way, for crashes of the process."""

    target: Target
    seed: int = 0
    current: Path | None = None
    executions: int = 0
    labels: set[str] = field(default_factory=set)
    findings: dict[str, tuple[bytes, str]] = field(default_factory=dict)

    def run(self, *, executions: int | None = None, seconds: float | None = None) -> Campaign:
        """Until so many inputs have been tried, or so many seconds are over."""
        random, ends = Random(f"{self.seed} {self.target.name}"), time.monotonic() + (seconds or 0)
        pool = self.target.inputs()
        with self._notes() as note:
            for content in pool:
                note(content)
                self._try(content)
            while self.executions < executions if executions is not None else time.monotonic() < ends:
                parent = random.choice(pool)
                content = mutated(random, parent, pool, self.target.kind, self.target.tokens)
                note(content)
                if self._try(content) and len(pool) < _LARGEST_POOL:
                    pool.append(content)
        return self

    def _try(self, content: bytes) -> bool:
        """Whether it led to something new."""
        self.executions += 1
        outcome = judged(self.target, content)
        if outcome.finding and outcome.finding not in self.findings:
            small = smaller(self.target, content, outcome.finding)
            self.findings[outcome.finding] = (small, outcome.detail)
        is_new = outcome.label not in self.labels
        self.labels.add(outcome.label)
        return is_new and not outcome.finding

    @contextmanager
    def _notes(self) -> Iterator[Callable[[bytes], None]]:
        if self.current is None:
            yield lambda _: None
            return
        self.current.write_bytes(bytes(1_000_000))
        with self.current.open("r+b") as file, mmap.mmap(file.fileno(), 0) as shared:

            def note(content: bytes) -> None:
                kept = content[: len(shared) - 8]
                shared[: 8 + len(kept)] = len(kept).to_bytes(8, "big") + kept

            yield note


def noted(path: Path) -> bytes:
    """The input that was under way when the process ended."""
    content = path.read_bytes()
    return content[8 : 8 + int.from_bytes(content[:8], "big")]


def smaller(target: Target, content: bytes, finding: str, tries: int = 300) -> bytes:
    """A shorter input with the same finding; the shortest that a few tries bring."""
    step = len(content) // 2
    while step and tries > 0:
        at = 0
        while at < len(content) and tries > 0:
            shorter = content[:at] + content[at + step :]
            # What is slow would be so in every try.
            tries -= 1 if "slow" not in finding and "Endless" not in finding else 60
            if judged(target, shorter).finding == finding:
                content = shorter
            else:
                at += step
        step //= 2
    return content


def kept_as(folder: Path, content: bytes, finding: str) -> Path:
    """Where an input with a finding is written."""
    folder.mkdir(parents=True, exist_ok=True)
    name = re.sub(r"[^a-z]+", "-", finding.lower())[:60].strip("-")
    path = folder / f"{name}-{hashlib.sha256(content).hexdigest()[:8]}"
    path.write_bytes(content)
    return path
