"""The CDK app, as `cdk` runs it: `cdk synth -c stage=dev`. Needs no credentials and looks nothing up."""

from cdk.app import build

build().synth()
