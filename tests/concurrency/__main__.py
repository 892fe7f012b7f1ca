"""See tests.concurrency.worker_pool."""

from tests.concurrency import worker_pool

worker_pool.main()
