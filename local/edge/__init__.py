"""What replaces CloudFront: a proxy that runs the edge functions, forwards `/api` and serves the web client."""
