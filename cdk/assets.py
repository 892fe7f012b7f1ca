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
        """Never declines: a failure is an error to be read, not a reason to try Docker."""
        bundle(self.service, Path(output_dir), architecture=self.stage.architecture, local=self.stage.local)
        return True


def code_for(handler: str, *, stage: Stage) -> lambda_.Code:
    """The code that holds a handler: its service's, or for `shared.…` what is shared and nothing else.

    CDK bundles only if no asset of the same hash is there, so what has not changed costs nothing.
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
            image=DockerImage.from_registry("unused"),  # asked for by the type; `local` always answers
            local=_Bundling(service, stage),  # type: ignore[arg-type]  # jsii calls it otherwise than it says: #38321
        ),
    )
