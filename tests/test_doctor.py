"""Checks of the machine: each can pass, each can fail, each failure has a remedy."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from living_finance import doctor
from living_finance.config import Settings
from living_finance.errors import EnvironmentProblem

SRC = Path(__file__).resolve().parents[1] / "src"


def _program(folder: Path, name: str, script: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / name
    file.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    file.chmod(0o755)
    return file


@pytest.mark.parametrize(("version", "passed"), [((3, 10), False), ((3, 11), True), ((3, 12), True), ((3, 13), False)])
def test_python_versions(version: tuple[int, int], passed: bool) -> None:
    check = doctor.check_python(version, executable="python")
    assert check.passed is passed
    assert bool(check.remedy) is not passed


@pytest.mark.parametrize(
    ("output", "major"),
    [
        ('openjdk version "17.0.15" 2025-04-15', 17),
        ('java version "21" 2023-09-19 LTS', 21),
        ('openjdk version "25-ea" 2025-09-16', 25),
        ('java version "1.8.0_402"', 8),
        ('Picked up JAVA_TOOL_OPTIONS: -Xmx1g\nopenjdk version "17.0.1"', 17),
        ("Unable to locate a Java Runtime.", None),
    ],
)
def test_java_versions_are_read(output: str, major: int | None) -> None:
    assert doctor.java_major(output) == major


@pytest.mark.parametrize(("version", "passed"), [("11.0.2", False), ("1.8.0_402", False), ("17.0.15", True), ("21.0.1", True)])
def test_java_on_path(tmp_path: Path, version: str, passed: bool) -> None:
    java = _program(tmp_path, "java", f"echo 'openjdk version \"{version}\"' >&2")
    check = doctor.check_java({"PATH": str(tmp_path)})
    assert check.passed is passed
    assert str(java) in check.found
    assert passed or "JAVA_HOME" in check.remedy


def test_java_home_is_stronger_than_path(tmp_path: Path) -> None:
    _program(tmp_path / "path", "java", "echo 'openjdk version \"21\"'")
    _program(tmp_path / "home" / "bin", "java", "echo 'openjdk version \"11\"'")
    check = doctor.check_java({"PATH": str(tmp_path / "path"), "JAVA_HOME": str(tmp_path / "home")})
    assert not check.passed
    assert check.found.startswith("11 ")


@pytest.mark.parametrize("home", ["", "nowhere"])
def test_java_missing(tmp_path: Path, home: str) -> None:
    environment = {"PATH": str(tmp_path)} | ({"JAVA_HOME": str(tmp_path / home)} if home else {})
    check = doctor.check_java(environment)
    assert not check.passed
    assert "install a Java 17" in check.remedy
    assert ("JAVA_HOME names" in check.found) is bool(home)


def test_java_that_does_not_start(tmp_path: Path) -> None:
    _program(tmp_path, "java", "exit 3")
    assert "does not start" in doctor.check_java({"PATH": str(tmp_path)}).found


@pytest.mark.parametrize(
    ("pyspark", "delta", "passed"),
    [
        ("4.2.0", "4.4.0", True),
        ("4.2.1", "4.4.0", True),
        ("4.3.0", "4.4.0", False),
        ("4.2.0", "4.4.1", False),
        (None, None, False),
    ],
)
def test_spark_and_delta_must_fit(pyspark: str | None, delta: str | None, passed: bool) -> None:
    assert doctor.check_versions(pyspark, delta).passed is passed


def test_what_is_installed_here_fits() -> None:
    assert doctor.check_versions(doctor.installed_version("pyspark"), doctor.installed_version("delta-spark")).passed
    assert doctor.installed_version("no-such-distribution") is None


def test_spark_home_of_another_spark(tmp_path: Path) -> None:
    assert doctor.check_spark_home({}).passed
    assert not doctor.check_spark_home({"SPARK_HOME": str(tmp_path)}).passed
    (tmp_path / "jars").mkdir()
    (tmp_path / "jars" / "spark-core_2.13-4.2.0.jar").touch()
    assert doctor.check_spark_home({"SPARK_HOME": str(tmp_path)}).passed


def test_jars_are_held_to_their_checksums(tmp_path: Path) -> None:
    missing = doctor.check_jars(tmp_path)
    assert (missing.passed, missing.is_required) == (False, False)
    (tmp_path / "one.jar").write_bytes(b"1")
    assert not doctor.check_jars(tmp_path).passed, "a jar nobody verified"
    sums = f"# jars\n{hashlib.sha256(b'1').hexdigest()}  one.jar\n"
    (tmp_path / doctor.JAR_SUMS_FILE).write_text(sums, encoding="utf-8")
    assert doctor.check_jars(tmp_path).passed
    (tmp_path / "two.jar").write_bytes(b"2")
    assert "not listed: two.jar" in doctor.check_jars(tmp_path).found
    (tmp_path / "two.jar").unlink()
    (tmp_path / "one.jar").write_bytes(b"one")
    changed = doctor.check_jars(tmp_path)
    assert (changed.passed, changed.is_required) == (False, True)
    assert "one.jar" in changed.found


def test_worker_python(tmp_path: Path) -> None:
    assert doctor.check_worker_python({}).passed
    assert doctor.check_worker_python({"PYSPARK_PYTHON": sys.executable}).passed
    other = _program(tmp_path, "python", "printf 3.9")
    check = doctor.check_worker_python({"PYSPARK_PYTHON": str(other)})
    assert not check.passed
    assert "3.9" in check.found


def test_write_test_leaves_nothing(tmp_path: Path) -> None:
    check = doctor.check_writable(tmp_path / "not" / "yet")
    assert check.passed
    assert str(tmp_path) in check.found
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_takes_no_files() -> None:
    check = doctor.check_writable(Path("/proc"))
    assert not check.passed
    assert check.remedy


@pytest.mark.parametrize(("available", "passed"), [(6.5, True), (5.9, False), (None, True)])
def test_memory_for_heap_and_workers(available: float | None, passed: bool) -> None:
    assert doctor.check_memory(driver_memory="3g", available_gib=available).passed is passed


@pytest.mark.parametrize(("text", "gib"), [("3g", 3), ("1536m", 1.5), ("1T", 1024), ("2GB", 2), ("1073741824", 1)])
def test_memory_sizes(text: str, gib: float) -> None:
    assert doctor.memory_gib(text) == gib


def test_a_memory_size_that_is_none() -> None:
    with pytest.raises(EnvironmentProblem, match="3g"):
        doctor.memory_gib("plenty")


@pytest.mark.parametrize(
    ("file", "passed"),
    [
        ("NanumGothic.ttf", True),
        ("NotoSansCJK-Regular.ttc", True),
        ("NotoSansKR.otf", True),
        ("DejaVuSans.ttf", False),
        ("nanum.txt", False),
    ],
)
def test_korean_fonts(tmp_path: Path, file: str, passed: bool) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / file).touch()
    check = doctor.check_korean_font([tmp_path / "none", tmp_path])
    assert (check.passed, check.is_required) == (passed, False)


def test_examine_covers_everything_and_require_stops_on_required_ones(tmp_path: Path) -> None:
    environment = {"PATH": str(tmp_path), "HOME": str(tmp_path)}
    checks = doctor.examine(tmp_path, Settings(), jars_directory=tmp_path, environment=environment)
    assert len({check.name for check in checks}) == len(checks) == 10
    assert all(check.remedy or check.passed for check in checks)
    with pytest.raises(EnvironmentProblem, match="Java") as error:
        doctor.require(checks)
    assert error.value.exit_code == 11
    doctor.require([check for check in checks if check.name != "Java"])


def test_before_setup_it_needs_nothing_installed(tmp_path: Path) -> None:
    """`make setup` runs it with the bare interpreter: -S hides every installed package."""
    _program(tmp_path, "java", "echo 'openjdk version \"11.0.2\"' >&2")
    environment = {
        "PATH": str(tmp_path),
        "PYTHONPATH": str(SRC),
        "PYTHONDONTWRITEBYTECODE": "1",
        "LANG": os.environ.get("LANG", "C"),
    }
    command = [sys.executable, "-S", "-m", "living_finance.doctor"]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert result.returncode == EnvironmentProblem.exit_code
    assert "Java: 11" in result.stderr
    assert "Remedy: install a Java 17" in result.stderr
    _program(tmp_path, "java", "echo 'openjdk version \"17.0.2\"' >&2")
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
