"""Commands for operators of a deployed stage; see docs/operations.md."""
