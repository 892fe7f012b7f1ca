"""The local AWS: ministack, the deployment of the CDK app to it, and the logs of its functions."""
