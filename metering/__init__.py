"""What operations cost: the calls to AWS and Stripe, and the request units of DynamoDB."""
