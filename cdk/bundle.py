"""Builds the content of the functions' zips: reproducible, cached, and without Docker.

A zip contains its package of `functions`, `shared`, and the package's locked dependencies for the target, all compiled
to bytecode. Without bytecode a cold start takes more than twice as long. Bytecode validated by timestamp would be
ignored, since a zip changes all timestamps, so it is compiled with unchecked hashes. Dependencies are cached in
`.local/build`, so that a change of our own source takes a second to bundle.
"""

import gzip
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

type Architecture = Literal["arm64", "x86_64"]

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".local" / "build"
PYTHON = (3, 13)

SERVICES = ("auth", "tickets", "orders", "expiration", "payments")
PACKAGES = (*SERVICES, "relay")
"""The packages of `functions`, each with a zip of its own."""

PLATFORMS: dict[Architecture, str] = {
    # The runtime is Amazon Linux 2023, whose glibc is 2.34.
    "arm64": "aarch64-manylinux_2_28",
    "x86_64": "x86_64-manylinux_2_28",
}

SOURCES = ("*.py", "layout.*", "common_passwords.txt")
"""What a zip contains of a package's folder: code, the layouts of mails, and the passwords that are refused."""

AWS_SERVICES_CALLED = ("dynamodb", "events", "lambda", "scheduler", "secretsmanager", "sesv2", "sqs")

# Files of dependencies that no function loads.
UNUSED = (
    "**/*.pyi",
    "**/*.c",
    "**/*.h",
    "**/tests",
    "**/__pycache__",
    "bin",
    "botocore/data/*/*/examples-1.json",
    "botocore/data/*/*/paginators-1.json",
    "botocore/data/*/*/waiters-2.json",
    "cffi",  # argon2 needs only its compiled module, which is outside this folder
    "pycparser",
    "dns",  # for email-validator's deliverability check, which is off
    "requests",  # the stripe package imports it if present, and starts slower; we pass our own client
    "certifi",
    "charset_normalizer",
    "stripe/params",  # types only
    "stripe/events",  # Stripe's v2 notifications; our webhook receives v1 events
    "pydantic/v1",
    "aws_lambda_powertools/event_handler/openapi/swagger_ui/*.min.*",
)
# botocore scans all its data folders when it creates its first client.
BOTOCORE_DATA_KEPT = frozenset(
    {*AWS_SERVICES_CALLED, "endpoints.json", "partitions.json", "_retry.json", "sdk-default-configuration.json"}
)
# These two read their own metadata on import. The rest is removed, since pydantic reads all metadata that it finds.
METADATA_KEPT = ("email_validator-", "python_ulid-")


class BundlingFailed(RuntimeError):
    """A zip's content could not be built; the message has the reason and what to do."""


def bundle(package: str, output: Path, *, architecture: Architecture, local: bool) -> None:
    """Write the content of a zip into the empty folder `output`. `package` is one of PACKAGES.

    `local` installs compiled packages for this machine. Raises BundlingFailed.
    """
    _copy(_dependencies(package, architecture=architecture, local=local), output)
    for source in _sources(package):
        target = output / source.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    _compile(output, [output / "functions", output / "shared"])


def fingerprint(package: str, *, architecture: Architecture, local: bool) -> str:
    """Return a hash of all inputs of the content: sources, locked dependencies, target, and this module."""
    digest = hashlib.sha256(_dependencies_key(package, architecture=architecture, local=local).encode())
    for source in _sources(package):
        digest.update(f"\0{source.relative_to(ROOT).as_posix()}\0".encode())
        digest.update(source.read_bytes())
    return digest.hexdigest()


def _sources(package: str) -> list[Path]:
    folders = ROOT / "shared", ROOT / "functions" / package
    files = [file for folder in folders for pattern in SOURCES for file in folder.rglob(pattern)]
    return sorted([*files, ROOT / "functions" / "__init__.py"])


def _requirements(package: str) -> Path:
    return ROOT / "functions" / package / "requirements.txt"


def _pins(package: str) -> str:
    """Return the requirements without comments, which do not affect the content."""
    lines = _requirements(package).read_text().splitlines()
    return "\n".join(line for line in lines if not line.lstrip().startswith("#"))


def _dependencies_key(package: str, *, architecture: Architecture, local: bool) -> str:
    digest = hashlib.sha256(Path(__file__).read_bytes())
    target = f"{sys.platform}-{architecture}" if local else PLATFORMS[architecture]
    digest.update(f"\0{target}\0{_pins(package)}".encode())
    return digest.hexdigest()


def _dependencies(package: str, *, architecture: Architecture, local: bool) -> Path:
    """Return the folder with the package's dependencies, pruned and compiled; builds it if it is not cached."""
    ready = CACHE / _dependencies_key(package, architecture=architecture, local=local)
    if ready.exists():
        return ready
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE, prefix="unfinished-") as temporary:
        target = Path(temporary) / "content"
        _install(package, target, platform=None if local else PLATFORMS[architecture])
        _prune(target)
        _slim(target / "botocore" / "data")
        _compile(target, [target])
        try:
            target.rename(ready)
        except OSError:
            if not ready.exists():  # else a concurrent synth has built the same
                raise
    return ready


def _install(package: str, target: Path, *, platform: str | None) -> None:
    from uv import find_uv_bin

    command = [
        find_uv_bin(),
        "pip",
        "install",
        "--quiet",
        "--no-config",
        "--target",
        str(target),
        "--require-hashes",
        "--requirements",
        str(_requirements(package)),
        "--only-binary",
        ":all:",
        "--no-deps",  # the file lists all of them
        "--python",
        sys.executable,
        "--python-version",
        ".".join(map(str, PYTHON)),
        *(["--python-platform", platform] if platform else []),
    ]
    if subprocess.run([*command, "--offline"], capture_output=True, check=False).returncode == 0:  # noqa: S603
        return
    sys.stderr.write(f"fetching the dependencies of {package}\n")
    shutil.rmtree(target, ignore_errors=True)
    fetched = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if fetched.returncode:
        raise BundlingFailed(f"the dependencies of {package} could not be installed:\n{fetched.stderr}")


def _prune(content: Path) -> None:
    unwanted: list[Path] = [path for pattern in UNUSED for path in content.glob(pattern)]
    unwanted += [path for path in (content / "botocore" / "data").iterdir() if path.name not in BOTOCORE_DATA_KEPT]
    unwanted += [path for path in content.glob("*.dist-info") if not path.name.startswith(METADATA_KEPT)]
    unwanted += [path for path in content.glob("*.dist-info/*") if path.name != "METADATA"]
    unwanted.append(content / ".lock")
    for path in unwanted:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _slim(data: Path) -> None:
    """Reduce botocore's data to what a client reads, because each cold start unpacks and parses it."""
    for packed in data.rglob("*.json.gz"):
        model = json.loads(gzip.decompress(packed.read_bytes()))
        _write(packed.with_suffix(""), without_documentation(model))
        packed.unlink()
    endpoints = json.loads((data / "endpoints.json").read_text())
    for partition in endpoints["partitions"]:
        services = partition["services"]
        partition["services"] = {name: services[name] for name in AWS_SERVICES_CALLED if name in services}
    _write(data / "endpoints.json", endpoints)


def without_documentation(model: Any) -> Any:
    """Return a service's model without documentation texts. A member named `documentation` is no text and is kept."""
    match model:
        case dict():
            return {
                name: without_documentation(value)
                for name, value in model.items()
                if name != "documentation" or not isinstance(value, str)
            }
        case list():
            return [without_documentation(value) for value in model]
        case _:
            return model


def _write(file: Path, content: Any) -> None:
    file.write_text(json.dumps(content, separators=(",", ":")))


def _compile(content: Path, folders: Iterable[Path]) -> None:
    """Compile reproducibly: without timestamps, paths of this machine, or a random hash seed."""
    if sys.version_info[:2] != PYTHON:
        raise BundlingFailed(
            f"bytecode for Lambda must be compiled with Python {PYTHON[0]}.{PYTHON[1]}; this is "
            f"{sys.version_info[0]}.{sys.version_info[1]}: run CDK from the project's .venv"
        )
    command = [
        sys.executable,
        "-m",
        "compileall",
        "-qq",
        "--invalidation-mode",
        "unchecked-hash",
        "-s",
        str(content),
        "-p",
        "/var/task",
        "-j",
        "0",
        *(str(folder) for folder in folders if folder.exists()),
    ]
    compiled = subprocess.run(  # noqa: S603
        command,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONHASHSEED": "0"},
    )
    if compiled.returncode:
        raise BundlingFailed(f"a source file does not compile:\n{compiled.stdout}{compiled.stderr}")


def _copy(source: Path, target: Path) -> None:
    """Copy a folder's content, by hard links if the file system supports them; the files are never modified."""

    def place(original: str, copy: str) -> None:
        try:
            os.link(original, copy)
        except OSError:
            shutil.copyfile(original, copy)

    shutil.copytree(source, target, dirs_exist_ok=True, copy_function=place)
