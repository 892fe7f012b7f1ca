"""Build tools of the repository: generate the API document, inspect the CloudFormation templates."""
