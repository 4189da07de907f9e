"""A server that speaks S3, in this process, and the settings by which any client finds it."""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

REGION = "us-east-1"


@contextmanager
def served_bucket(patch: pytest.MonkeyPatch, name: str) -> Iterator[str]:
    """The URL of an empty bucket; the environment names server and credentials."""
    pytest.importorskip("s3fs")
    server = pytest.importorskip("moto.server").ThreadedMotoServer("127.0.0.1", port=0)
    server.start()
    endpoint = f"http://127.0.0.1:{server.get_host_and_port()[1]}"
    settings = {"ACCESS_KEY_ID": "test", "SECRET_ACCESS_KEY": "s3cret", "DEFAULT_REGION": REGION}
    for variable, value in (settings | {"ENDPOINT_URL": endpoint}).items():
        patch.setenv(f"AWS_{variable}", value)
    patch.delenv("AWS_PROFILE", raising=False)
    forget_connections()
    # Servers of one process have one memory.
    httpx.post(f"{endpoint}/moto-api/reset", trust_env=False)
    import boto3

    boto3.client("s3", endpoint_url=endpoint).create_bucket(Bucket=name)
    try:
        yield f"s3://{name}"
    finally:
        server.stop()


def forget_connections() -> None:
    """A process keeps its connections; the next one looks at the environment again."""
    from s3fs import S3FileSystem

    S3FileSystem.clear_instance_cache()
