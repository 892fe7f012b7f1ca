"""Responses of AWS that no server has sent, as botocore reads them."""

import io
from collections.abc import Iterator


class ResponseBody(io.BytesIO):
    """The body of an `AWSResponse`."""

    def stream(self, *_: object, **__: object) -> Iterator[bytes]:
        yield self.read()
