"""A function's code as a CDK asset."""

from pathlib import Path

import jsii
from aws_cdk import AssetHashType, BundlingOptions, DockerImage, ILocalBundling
from aws_cdk import aws_lambda as lambda_

from cdk.bundle import PACKAGES, ROOT, bundle, fingerprint
from cdk.stages import Stage


@jsii.implements(ILocalBundling)
class _Bundling:
    def __init__(self, package: str, stage: Stage) -> None:
        self.package = package
        self.stage = stage

    def try_bundle(self, output_dir: str, _options: object, /) -> bool:
        """Always return True: a failure must raise, and not make CDK try Docker."""
        bundle(self.package, Path(output_dir), architecture=self.stage.architecture, local=self.stage.local)
        return True


def code_for(handler: str, *, stage: Stage) -> lambda_.Code:
    """Return the code for a handler, `functions.<package>.<module>.handler`: the zip of its package.

    CDK bundles only if there is no asset with the same hash. Raises ValueError for a handler in no package.
    """
    _, package, *_ = handler.split(".")
    if package not in PACKAGES:
        raise ValueError(f"{handler} is in no package of functions")
    return lambda_.Code.from_asset(
        str(ROOT / "functions" / package),
        asset_hash_type=AssetHashType.CUSTOM,
        asset_hash=fingerprint(package, architecture=stage.architecture, local=stage.local),
        bundling=BundlingOptions(
            image=DockerImage.from_registry("unused"),  # required by the type; `local` always bundles
            local=_Bundling(package, stage),  # type: ignore[arg-type]  # jsii's call differs from its type: #38321
        ),
    )
