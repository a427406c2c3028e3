"""What stands before a server, for tests: it lets everybody through until it is shut."""

import asyncio
from types import TracebackType


class Door:
    """A port that leads to another one; once it is shut, connections are refused."""

    def __init__(self, to: int) -> None:
        self._to = to
        self._open: set[asyncio.StreamWriter] = set()
        self._passing: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def shut(self) -> None:
        """Let nobody in any more, and break off what goes on."""
        self._server.close()
        for writer in self._open:
            writer.transport.abort()
        await self._server.wait_closed()

    async def __aenter__(self) -> "Door":
        self._server = await asyncio.start_server(self._come, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.shut()
        await asyncio.gather(*self._passing, return_exceptions=True)

    async def _come(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", self._to)
        for source, target in ((reader, inner_writer), (inner_reader, writer)):
            self._open.add(target)
            passing = asyncio.create_task(_pass_on(source, target))
            self._passing.add(passing)
            passing.add_done_callback(self._passing.discard)


async def _pass_on(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    try:
        while some := await source.read(65536):
            target.write(some)
    except ConnectionError:
        pass
    finally:
        target.close()
