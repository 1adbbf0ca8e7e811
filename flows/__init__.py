"""Prefect flows: thin over `qinlp.steps`. Scheduling, retries and concurrency live here, nothing else."""
