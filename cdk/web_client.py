"""The web client's files as a CDK asset, built on the machine that runs CDK, and only when its sources have changed."""

import hashlib
import shutil
import subprocess
from pathlib import Path

import jsii
from aws_cdk import AssetHashType, BundlingOptions, DockerImage, ILocalBundling
from aws_cdk import aws_s3_deployment as deployment

from cdk.bundle import ROOT, BundlingFailed

WEB = ROOT / "web"
NOT_SOURCES = ("node_modules", "dist", "e2e", "results")


def web_client() -> deployment.ISource:
    """Return the files that CloudFront serves. If the build fails, synthesis raises BundlingFailed."""
    return deployment.Source.asset(
        str(WEB),
        asset_hash_type=AssetHashType.CUSTOM,
        asset_hash=_fingerprint(),
        bundling=BundlingOptions(
            image=DockerImage.from_registry("unused"),  # required by the type; `local` always bundles
            local=_Build(),  # type: ignore[arg-type]  # jsii's call differs from its type: #38321
        ),
    )


@jsii.implements(ILocalBundling)
class _Build:
    def try_bundle(self, output_dir: str, _options: object, /) -> bool:
        """Always return True: a failure must raise, and not make CDK try Docker."""
        command = ["make", "--no-print-directory", "web/dist/index.html"]
        built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603
        if built.returncode:
            raise BundlingFailed(f"the web client could not be built:\n{built.stdout}{built.stderr}")
        shutil.copytree(WEB / "dist", output_dir, dirs_exist_ok=True)
        return True


def _fingerprint() -> str:
    digest = hashlib.sha256()
    sources = (file for file in WEB.rglob("*") if file.relative_to(WEB).parts[0] not in NOT_SOURCES)
    for source in sorted([*(file for file in sources if file.is_file()), ROOT / "docs" / "openapi.json"]):
        digest.update(f"\0{source.relative_to(ROOT).as_posix()}\0".encode())
        digest.update(Path(source).read_bytes())
    return digest.hexdigest()
