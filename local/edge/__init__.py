"""What replaces CloudFront: a proxy that runs the edge functions, forwards `/api` and serves the web client."""

PROOF_VARIABLE = "EDGE_PROOF"
"""The environment variable with the edge's secret for the API: arguments are visible to every user of the machine."""
