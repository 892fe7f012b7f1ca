"""A function's code as a CDK asset."""

from pathlib import Path

import jsii
from aws_cdk import AssetHashType, BundlingOptions, DockerImage, ILocalBundling
from aws_cdk import aws_lambda as lambda_

from cdk.bundle import ROOT, SERVICES, SHARED, bundle, fingerprint
from cdk.stages import Stage


@jsii.implements(ILocalBundling)
class _Bundling:
    def __init__(self, service: str, stage: Stage) -> None:
        self.service = service
        self.stage = stage

    def try_bundle(self, output_dir: str, _options: object, /) -> bool:
        """Always return True: a failure must raise, and not make CDK try Docker."""
        bundle(self.service, Path(output_dir), architecture=self.stage.architecture, local=self.stage.local)
        return True


def code_for(handler: str, *, stage: Stage) -> lambda_.Code:
    """Return the code for a handler: that of its service, or for `shared.…` the shared package only.

    CDK bundles only if there is no asset with the same hash. Raises ValueError for a handler in no service.
    """
    package, service, *_ = handler.split(".")
    if package == SHARED:
        folder, service = ROOT / SHARED, SHARED
    else:
        folder = ROOT / package / service
        if service not in SERVICES:
            raise ValueError(f"{handler} is in no service")
    return lambda_.Code.from_asset(
        str(folder),
        asset_hash_type=AssetHashType.CUSTOM,
        asset_hash=fingerprint(service, architecture=stage.architecture, local=stage.local),
        bundling=BundlingOptions(
            image=DockerImage.from_registry("unused"),  # required by the type; `local` always bundles
            local=_Bundling(service, stage),  # type: ignore[arg-type]  # jsii's call differs from its type: #38321
        ),
    )
