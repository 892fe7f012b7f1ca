"""What operators do with a deployed stage, beside `cdk deploy`; docs/operations.md says when."""
