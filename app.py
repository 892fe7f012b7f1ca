"""The CDK app for the `cdk` command: `cdk synth -c stage=dev`. Needs no credentials and makes no lookups."""

from cdk.app import build

build().synth()
