"""Clerk without a network: aioresponses, for aiohttp as it is now."""

from typing import Any, Self
from unittest.mock import Mock

from aiohttp import ClientResponse
from aioresponses import aioresponses


class _Response(ClientResponse):
    """aiohttp 3.14 wants a writer that aioresponses 0.7.9 does not know of."""

    def __init__(self, *args: Any, **parts: Any) -> None:
        super().__init__(*args, stream_writer=Mock(output_size=0), **parts)


class MockedClerk(aioresponses):
    """Answers as told, in the order told."""

    def __enter__(self) -> Self:
        super().__enter__()
        return self

    def add(self, *args: Any, **answer: Any) -> None:
        """Tell an answer."""
        super().add(*args, **{"response_class": _Response, **answer})

    @property
    def sent(self) -> int:
        """Requests that came."""
        return sum(len(calls) for calls in self.requests.values())
