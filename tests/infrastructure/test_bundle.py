"""The content of a function's zip, and that the same input always gives the same zip."""

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import botocore
import pytest
from botocore.loaders import Loader

from cdk import bundle
from cdk.bundle import PACKAGES, Architecture
from cdk.stages import LOCAL
from tests.infrastructure.functions import FUNCTIONS
from tests.support.synth import ROOT

HERE: Architecture = LOCAL.architecture


@pytest.fixture(scope="session")
def zips(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return every zip's content, built for this machine."""
    made = {}
    for service in PACKAGES:
        made[service] = tmp_path_factory.mktemp(f"zip-{service}")
        bundle.bundle(service, made[service], architecture=HERE, local=True)
    return made


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a copy of all sources of the zips, for tests that change them."""
    copy = tmp_path / "project"
    for folder in ("functions", "shared"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(bundle, "ROOT", copy)
    return copy


def _fingerprint(service: str) -> str:
    return bundle.fingerprint(service, architecture="arm64", local=False)


def _digest(folder: Path) -> str:
    digest = hashlib.sha256()
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(file.relative_to(folder).as_posix().encode() + file.read_bytes())
    return digest.hexdigest()


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_zip_holds_all_that_its_handler_imports(zips: dict[str, Path], name: str) -> None:
    module = FUNCTIONS[name][0].removesuffix(".handler")
    zipped = zips[module.split(".")[1]]
    program = f"import sys; sys.path.insert(0, {str(zipped)!r}); import {module}; assert {module}.handler"
    ran = subprocess.run(  # noqa: S603
        [sys.executable, "-I", "-S", "-c", program],  # without any package other than the zip's own
        capture_output=True,
        text=True,
        check=False,
        env={"AWS_DEFAULT_REGION": "us-east-1", "POWERTOOLS_SERVICE_NAME": "test"},
    )
    assert ran.returncode == 0, ran.stderr


def test_auth_zip_can_hash_passwords_and_parse_emails(zips: dict[str, Path]) -> None:
    program = (
        f"import sys; sys.path.insert(0, {str(zips['auth'])!r})\n"
        "import argon2, pydantic\n"
        "argon2.PasswordHasher().hash('x')\n"
        "pydantic.TypeAdapter(pydantic.EmailStr).validate_python('ada@example.com')"
    )
    subprocess.run([sys.executable, "-I", "-S", "-c", program], check=True)  # noqa: S603


def test_auth_zip_can_render_a_mail(zips: dict[str, Path]) -> None:
    program = (
        f"import sys; sys.path.insert(0, {str(zips['auth'])!r})\n"
        "import datetime\n"
        "from functions.auth.mails import kinds, render\n"
        "mail = kinds.PasswordChanged(at=datetime.datetime.now(datetime.UTC))\n"
        "print(render.render(mail, origin='https://tickets.example.com').html)"
    )
    ran = subprocess.run([sys.executable, "-I", "-S", "-c", program], check=True, capture_output=True, text=True)  # noqa: S603
    assert "https://tickets.example.com/forgot" in ran.stdout


@pytest.mark.parametrize("service", PACKAGES)
def test_a_zip_can_create_each_aws_client_in_use(zips: dict[str, Path], service: str) -> None:
    program = (
        f"import sys; sys.path.insert(0, {str(zips[service])!r})\n"
        "from shared import aws\n"
        "for client in (aws.dynamodb, aws.events, aws.scheduler, aws.secretsmanager, aws.ses, aws.sqs): client()"
    )
    subprocess.run([sys.executable, "-I", "-S", "-c", program], check=True, env={"AWS_DEFAULT_REGION": "x"})  # noqa: S603


@pytest.mark.parametrize("called", bundle.AWS_SERVICES_CALLED)
def test_botocore_models_lose_only_their_documentation(zips: dict[str, Path], called: str) -> None:
    slim, whole = (
        Loader(extra_search_paths=[str(data)], include_default_search_paths=False)
        for data in (zips["relay"] / "botocore" / "data", Path(botocore.__file__).parent / "data")
    )
    for kind in ("service-2", "endpoint-rule-set-1"):
        ours, theirs = (loader.load_service_model(called, kind) for loader in (slim, whole))
        assert ours == bundle.without_documentation(theirs)
        assert '"documentation":"' not in json.dumps(ours, separators=(",", ":"))


def test_a_shape_member_named_documentation_is_kept() -> None:
    members = {"documentation": {"shape": "Text", "documentation": "What it says."}}
    assert bundle.without_documentation({"members": members}) == {"members": {"documentation": {"shape": "Text"}}}


@pytest.mark.parametrize("region", ["eu-central-1", "us-gov-west-1", "cn-north-1"])
def test_stripped_clients_use_the_same_endpoints(zips: dict[str, Path], region: str) -> None:
    program = (
        "import sys; sys.path[:0] = sys.argv[1:]\n"
        "from botocore.session import get_session\n"
        "secrets = ('aws_access_key_id', 'aws_secret_access_key')\n"
        f"for called in {bundle.AWS_SERVICES_CALLED!r}:\n"
        f"  client = get_session().create_client(called, {region!r}, **dict.fromkeys(secrets, 'x'))\n"
        "  print(client.meta.endpoint_url, client.meta.service_model.signing_name, client.meta.region_name)"
    )
    site_packages = str(Path(botocore.__file__).parent.parent)
    ours, theirs = (
        subprocess.run(  # noqa: S603
            [sys.executable, "-I", "-S", "-c", program, *paths], capture_output=True, text=True, check=True
        ).stdout
        for paths in ([str(zips["relay"])], [site_packages])
    )
    assert len(ours.splitlines()) == len(bundle.AWS_SERVICES_CALLED)
    assert ours == theirs


@pytest.mark.parametrize("service", PACKAGES)
def test_a_zip_holds_only_its_own_service(zips: dict[str, Path], service: str) -> None:
    assert [path.name for path in (zips[service] / "functions").iterdir() if path.is_dir()] in (
        [service, "__pycache__"],
        ["__pycache__", service],
    )
    assert (zips[service] / "shared").is_dir()


@pytest.mark.parametrize("service", PACKAGES)
def test_a_zip_holds_no_unused_files(zips: dict[str, Path], service: str) -> None:
    present = {path.name for path in zips[service].iterdir()}
    assert not present & {"bin", "tests", "pip", "pytest", "aws_cdk", "requests", "dns", "boto3", "s3transfer"}
    assert not list(zips[service].rglob("requirements.*"))
    assert {path.name for path in (zips[service] / "botocore" / "data").iterdir()} == bundle.BOTOCORE_DATA_KEPT


@pytest.mark.parametrize("service", PACKAGES)
def test_every_source_has_unchecked_bytecode(zips: dict[str, Path], service: str) -> None:
    for source in zips[service].rglob("*.py"):
        compiled = source.parent / "__pycache__" / f"{source.stem}.cpython-313.pyc"
        assert compiled.read_bytes()[4:8] == b"\x01\0\0\0", source  # PEP 552: by hash, unchecked


@pytest.mark.parametrize("service", PACKAGES)
def test_a_zip_holds_no_build_path(zips: dict[str, Path], service: str) -> None:
    for file in zips[service].rglob("*.pyc"):
        assert str(zips[service].parent).encode() not in file.read_bytes(), file
        assert str(ROOT / ".local").encode() not in file.read_bytes(), file


def test_rebuilt_zips_are_identical_to_the_byte(
    zips: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundle, "CACHE", tmp_path / "cache")
    again = tmp_path / "again"
    bundle.bundle("auth", again, architecture=HERE, local=True)
    assert _digest(again) == _digest(zips["auth"])


AARCH64 = 183  # `e_machine` of the ELF header
LARGEST = 11 * 1024 * 1024


@pytest.mark.parametrize("service", PACKAGES)
def test_the_zips_for_aws_are_small_and_built_for_its_processor(service: str, tmp_path: Path) -> None:
    made = tmp_path / "made"
    bundle.bundle(service, made, architecture="arm64", local=False)
    compiled = [*made.rglob("*.so"), *made.rglob("*.so.*")]
    assert compiled
    for library in compiled:
        assert int.from_bytes(library.read_bytes()[18:20], "little") == AARCH64, library
    zipped = Path(shutil.make_archive(str(tmp_path / "zip"), "zip", made))
    assert zipped.stat().st_size <= LARGEST, f"{zipped.stat().st_size:,} bytes"


def test_fingerprints_do_not_depend_on_the_location(sources: Path) -> None:
    elsewhere = {service: _fingerprint(service) for service in PACKAGES}
    bundle.ROOT = ROOT
    assert {service: _fingerprint(service) for service in PACKAGES} == elsewhere


def test_a_changed_service_changes_only_its_own_fingerprint(sources: Path) -> None:
    before = {service: _fingerprint(service) for service in PACKAGES}
    with (sources / "functions" / "orders" / "order.py").open("a") as file:
        file.write("# changed\n")
    changed = {service for service in before if _fingerprint(service) != before[service]}
    assert changed == {"orders"}


def test_a_shared_change_changes_every_fingerprint(sources: Path) -> None:
    before = {service: _fingerprint(service) for service in PACKAGES}
    (sources / "shared" / "new.py").write_text("")
    assert all(_fingerprint(service) != before[service] for service in before)


def test_a_package_version_changes_the_fingerprint(sources: Path) -> None:
    """A comment in the lock file does not change it."""
    before = _fingerprint("auth")
    locked = sources / "functions" / "auth" / "requirements.txt"
    locked.write_text("# a comment\n" + locked.read_text())
    assert _fingerprint("auth") == before
    locked.write_text(locked.read_text().replace("pyjwt==", "pyjwt==0."))
    assert _fingerprint("auth") != before


def test_another_target_changes_the_fingerprint() -> None:
    architectures: tuple[Architecture, ...] = ("arm64", "x86_64")
    fingerprints = {
        bundle.fingerprint("auth", architecture=architecture, local=local)
        for architecture in architectures
        for local in (True, False)
    }
    assert len(fingerprints) == 4


def test_bytecode_for_another_python_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle, "PYTHON", (3, 12))
    with pytest.raises(bundle.BundlingFailed, match=r"run CDK from the project's \.venv"):
        bundle.bundle("relay", tmp_path, architecture=HERE, local=True)
