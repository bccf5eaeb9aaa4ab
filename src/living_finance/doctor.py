"""What a machine must have before a month can run, and the remedy for each thing it lacks.

Each check returns a `Check` and raises nothing. The module imports only the standard library and `errors`
at the top, so that `make setup` can run `python -m living_finance.doctor` before anything is installed.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from living_finance.errors import EnvironmentProblem

if TYPE_CHECKING:
    from living_finance.config import Settings

SUPPORTED_PYTHON = ((3, 11), (3, 12))
MINIMUM_JAVA = 17
"""Spark 4 needs Java 17 (Spark documentation, "Downloading")."""

FITTING_VERSIONS: tuple[tuple[str, str], ...] = (("4.2", "4.4.0"),)
"""(pyspark release line, delta-spark version) that were seen to work together; see docs/decisions/0001."""

MINIMUM_DISK_GIB = 5.0
"""A demo city needs well under 1 GiB; a full month of Seoul some 4 GiB of tables and shuffle files."""

JAR_SUMS_FILE = "jars.sha256"
"""Lies beside the jars: `sha256  name` a line, copied there from conf/ when they were verified."""

_JAVA_VERSION = re.compile(r'version "(\d+)(?:\.(\d+))?')
_KOREAN_FONT = re.compile(r"(nanum|noto.*(cjk|kr)|malgun|applesdgothic|unbatang|baekmuk|pretendard)", re.IGNORECASE)
_SECONDS_FOR_VERSION = 20


@dataclass(frozen=True, kw_only=True)
class Check:
    """The result of one look at the machine."""

    name: str
    passed: bool
    found: str
    remedy: str
    """What to do; empty when passed."""
    is_required: bool = True
    """Whether a failure stops the pipeline; otherwise it is for information."""


def examine(
    folder: Path,
    settings: Settings,
    *,
    jars_directory: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> list[Check]:
    """Everything `living-finance doctor` shows.

    Args:
        folder: where tables will be written; it or its nearest existing parent is tried.
        settings: of the run; tells how much memory the driver will take.
        jars_directory: folder of the Delta jars; None asks the session module.
        environment: environment variables; None takes the process's.
    """
    variables = os.environ if environment is None else environment
    if jars_directory is None:
        from living_finance.session import JARS_DIRECTORY

        jars_directory = JARS_DIRECTORY
    return [
        check_python(sys.version_info[:2], executable=sys.executable),
        check_java(variables),
        check_versions(installed_version("pyspark"), installed_version("delta-spark")),
        check_spark_home(variables),
        check_jars(jars_directory),
        check_worker_python(variables),
        check_writable(folder),
        check_disk(folder),
        check_memory(driver_memory=settings.spark.driver_memory, available_gib=available_memory_gib()),
        check_korean_font(font_directories(variables)),
    ]


def require(checks: Iterable[Check]) -> None:
    """Stop when a required check failed.

    Raises:
        EnvironmentProblem: names every failed required check with its remedy.
    """
    failed = [check for check in checks if check.is_required and not check.passed]
    if failed:
        found = "; ".join(f"{check.name}: {check.found}" for check in failed)
        raise EnvironmentProblem(f"{found}.", remedy="; ".join(check.remedy for check in failed))


def check_python(version: tuple[int, int], *, executable: str) -> Check:
    """Whether the interpreter is one the lock files were made for."""
    wanted = " or ".join(f"{major}.{minor}" for major, minor in SUPPORTED_PYTHON)
    return _check(
        "Python",
        passed=version in SUPPORTED_PYTHON,
        found=f"{version[0]}.{version[1]} ({executable})",
        remedy=f"install Python {wanted} (Debian: apt-get install python3.11 python3.11-venv) and "
        "name it: make setup PYTHON=/path/to/python3.11",
    )


def check_java(environment: Mapping[str, str]) -> Check:
    """Whether the Java that Spark will start (JAVA_HOME first, then PATH, as Spark does) is new enough."""
    install = f"install a Java {MINIMUM_JAVA} runtime or newer (Debian: apt-get install openjdk-17-jre-headless)"
    home = environment.get("JAVA_HOME", "")
    java = str(Path(home) / "bin" / "java") if home else shutil.which("java", path=environment.get("PATH", os.defpath))
    if java is None:
        return _check("Java", passed=False, found="no java on PATH and JAVA_HOME is not set", remedy=install)
    output = _output_of([java, "-version"], environment)
    if output is None:
        where = "JAVA_HOME names a folder without a working bin/java" if home else f"{java} does not start"
        return _check("Java", passed=False, found=where, remedy=f"correct JAVA_HOME or unset it, or {install}")
    major = java_major(output)
    found = f"{major if major is not None else 'version not recognised'} ({java})"
    return _check(
        "Java",
        passed=major is not None and major >= MINIMUM_JAVA,
        found=found,
        remedy=f"{install} and point JAVA_HOME at it",
    )


def java_major(version_output: str) -> int | None:
    """The feature release in the output of `java -version`.

    >>> java_major('openjdk version "17.0.15" 2025-04-15'), java_major('java version "1.8.0_402"')
    (17, 8)
    >>> java_major("no such command") is None
    True
    """
    match = _JAVA_VERSION.search(version_output)
    if match is None:
        return None
    first, second = int(match[1]), match[2]
    return int(second) if first == 1 and second else first


def installed_version(distribution: str) -> str | None:
    """The installed version of a distribution, or None."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def check_versions(pyspark: str | None, delta: str | None) -> Check:
    """Whether pyspark and delta-spark are a pair that was seen to work."""
    fits = pyspark is not None and any(
        pyspark.startswith(f"{line}.") and delta == delta_version for line, delta_version in FITTING_VERSIONS
    )
    return _check(
        "Spark and Delta",
        passed=fits,
        found=f"pyspark {pyspark or 'missing'}, delta-spark {delta or 'missing'}",
        remedy="run `make setup`, which installs the locked versions",
    )


def check_spark_home(environment: Mapping[str, str]) -> Check:
    """Whether SPARK_HOME, which pyspark prefers to its own files, names a Spark of the release line in use."""
    home = environment.get("SPARK_HOME", "")
    if not home:
        return _check("SPARK_HOME", passed=True, found="not set; pyspark brings its own Spark", remedy="")
    fits = any(list(Path(home, "jars").glob(f"spark-core_2.13-{line}.*.jar")) for line, _ in FITTING_VERSIONS)
    lines = ", ".join(line for line, _ in FITTING_VERSIONS)
    return _check(
        "SPARK_HOME",
        passed=fits,
        found=f"{home} {'holds' if fits else 'does not hold'} Spark {lines}",
        remedy="unset SPARK_HOME, or point it at a Spark of that release line",
    )


def check_jars(directory: Path) -> Check:
    """Whether the Delta jars are there and are the ones that were verified.

    Missing jars are no failure by themselves (Spark then resolves its packages itself, which takes a network);
    jars that differ from their checksums are.
    """
    remedy = "run `make setup`, which fetches and verifies the jars"
    sums_file = directory / JAR_SUMS_FILE
    if not sums_file.is_file():
        jars = len(list(directory.glob("*.jar")))
        found = f"{jars} without checksums in {directory}" if jars else f"none in {directory}"
        return _check("Delta jars", passed=False, found=found, remedy=remedy, is_required=False)
    wanted = parse_sums(sums_file.read_text(encoding="utf-8"))
    wrong = sorted(name for name, digest in wanted.items() if _sha256(directory / name) != digest)
    extra = sorted(path.name for path in directory.glob("*.jar") if path.name not in wanted)
    found = "; ".join(
        text
        for text in (
            f"{len(wanted) - len(wrong)} of {len(wanted)} verified in {directory}",
            f"missing or changed: {', '.join(wrong)}" if wrong else "",
            f"not listed: {', '.join(extra)}" if extra else "",
        )
        if text
    )
    return _check("Delta jars", passed=bool(wanted) and not wrong and not extra, found=found, remedy=remedy)


def parse_sums(text: str) -> dict[str, str]:
    """File name → SHA-256 from lines as `sha256sum` writes them; `#` begins a comment.

    >>> parse_sums("# jars\\nab12  one.jar\\n")
    {'one.jar': 'ab12'}
    """
    lines = (line.split() for line in text.splitlines() if line.strip() and not line.startswith("#"))
    return {name.lstrip("*"): digest for digest, name in lines}


def check_worker_python(environment: Mapping[str, str]) -> Check:
    """Whether Spark's Python workers would run this Python's version.

    Local sessions set PYSPARK_PYTHON themselves; it matters for spark-submit.
    """
    chosen = environment.get("PYSPARK_PYTHON", "")
    own = f"{sys.version_info[0]}.{sys.version_info[1]}"
    if not chosen:
        return _check(
            "PYSPARK_PYTHON", passed=True, found="not set; local runs use this interpreter", remedy="", is_required=False
        )
    output = _output_of([chosen, "-c", "import sys; sys.stdout.write('%d.%d' % sys.version_info[:2])"], environment)
    return _check(
        "PYSPARK_PYTHON",
        passed=output == own,
        found=f"{chosen} ({output or 'does not start'})",
        remedy=f"set PYSPARK_PYTHON to a Python {own} that has the locked packages, or unset it",
        is_required=False,
    )


def check_writable(folder: Path) -> Check:
    """Whether a file can be written, read back and removed where tables will be."""
    place = _existing(folder)
    try:
        with tempfile.NamedTemporaryFile(dir=place, prefix=".living-finance-") as file:
            file.write(b"written")
            file.flush()
            passed = Path(file.name).read_bytes() == b"written"
        found = f"{place} takes files" if passed else f"{place} gives back other bytes than were written"
    except OSError as error:
        passed, found = False, f"{place}: {error.strerror}"
    return _check("Write test", passed=passed, found=found, remedy="choose a folder that you may write to, or free its disk")


def check_disk(folder: Path) -> Check:
    """Whether the folder's disk has room."""
    place = _existing(folder)
    free = shutil.disk_usage(place).free / 2**30
    return _check(
        "Free disk",
        passed=free >= MINIMUM_DISK_GIB,
        found=f"{free:.1f} GiB at {place}",
        remedy=f"free at least {MINIMUM_DISK_GIB:.0f} GiB, or choose a folder on another disk",
        is_required=False,
    )


def check_memory(*, driver_memory: str, available_gib: float | None) -> Check:
    """Whether the machine has memory left for the driver's heap and as much again for Python workers.

    Args:
        driver_memory: as Spark reads it, for instance `3g`.
        available_gib: memory not in use; None where the system does not tell.
    """
    if available_gib is None:
        return _check("Free memory", passed=True, found="not known on this system", remedy="", is_required=False)
    needed = 2 * memory_gib(driver_memory)
    return _check(
        "Free memory",
        passed=available_gib >= needed,
        found=f"{available_gib:.1f} GiB of the {needed:.1f} that a driver of {driver_memory} may use",
        remedy="close other programs, or lower spark.driver_memory in the configuration (conf/local.yaml)",
        is_required=False,
    )


def memory_gib(text: str) -> float:
    """A Spark memory size in GiB; without a unit it is bytes.

    >>> memory_gib("3g"), memory_gib("512m")
    (3.0, 0.5)

    Raises:
        EnvironmentProblem: not a size.
    """
    match = re.fullmatch(r"(\d+)([kmgt]?)b?", text.strip().lower())
    if match is None:
        raise EnvironmentProblem(f"{text!r} is not a memory size.", remedy="write it as 3g or 512m")
    return int(match[1]) * 1024.0 ** ({"": 0, "k": 1, "m": 2, "g": 3, "t": 4}[match[2]] - 3)


def available_memory_gib() -> float | None:
    """Memory that programs may still take; None before psutil is installed."""
    try:
        import psutil
    except ImportError:
        return None
    return float(psutil.virtual_memory().available) / 2**30


def font_directories(environment: Mapping[str, str]) -> tuple[Path, ...]:
    """Where fonts lie: the system's, the user's, and those that a Python package brings."""
    home = Path(environment.get("HOME", "~")).expanduser()
    system = (Path("/usr/share/fonts"), Path("/usr/local/share/fonts"), Path("/System/Library/Fonts"), Path("/Library/Fonts"))
    own = (home / ".fonts", home / ".local/share/fonts", home / "Library/Fonts")
    packages = tuple(Path(folder) / "koreanize_matplotlib" / "fonts" for folder in sys.path if folder)
    return (*system, *own, *packages)


def check_korean_font(directories: Sequence[Path]) -> Check:
    """Whether a font with Hangul is found; charts and reports need it, the tables do not."""
    fonts = (
        path.name
        for directory in directories
        if directory.is_dir()
        for path in sorted(directory.rglob("*"))
        if path.suffix.lower() in (".ttf", ".otf", ".ttc") and _KOREAN_FONT.search(path.name)
    )
    found = next(fonts, None)
    return _check(
        "Korean font",
        passed=found is not None,
        found=found or "none found",
        remedy="install one (Debian: apt-get install fonts-nanum; or pip install koreanize-matplotlib); only charts need it",
        is_required=False,
    )


def _check(name: str, *, passed: bool, found: str, remedy: str, is_required: bool = True) -> Check:
    return Check(name=name, passed=passed, found=found, remedy="" if passed else remedy, is_required=is_required)


def _output_of(command: Sequence[str], environment: Mapping[str, str]) -> str | None:
    """What a short command says on both streams; None when it fails or does not start."""
    try:
        result = subprocess.run(
            command,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_SECONDS_FOR_VERSION,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return result.stdout + result.stderr if result.returncode == 0 else None


def _sha256(path: Path) -> str:
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _existing(folder: Path) -> Path:
    """The folder, or its nearest parent that exists (it will be made there)."""
    return next(path for path in (folder.absolute(), *folder.absolute().parents) if path.is_dir())


def main() -> int:
    """Before anything is installed: only Python and Java, the failures with their remedy, on standard error."""
    checks = [check_python(sys.version_info[:2], executable=sys.executable), check_java(os.environ)]
    for check in checks:
        if not check.passed:
            sys.stderr.write(f"{check.name}: {check.found}.\n  Remedy: {check.remedy}.\n")
    return 0 if all(check.passed for check in checks) else EnvironmentProblem.exit_code


if __name__ == "__main__":
    sys.exit(main())
