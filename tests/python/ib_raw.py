"""The least of a client of a gateway, for what a whole one would hide: frames as lists of fields."""

from __future__ import annotations

import asyncio
import struct
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ktrdr_core.testing import IbGatewaySimulator

_NOON = "20240314-16:00:00"


class Raw:
    """The least of a client: frames as lists of fields."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self._writer = reader, writer
        #: The sizes of what came at once.
        self.pieces: list[int] = []

    @classmethod
    async def connect(cls, gateway: IbGatewaySimulator, client_id: int = 1) -> Raw:
        raw = cls(*await asyncio.open_connection(gateway.host, gateway.port))
        raw.greet(b"v157..178")
        assert len(await raw.next()) == 2
        raw.send(71, 2, client_id, "")
        while (await raw.next())[:4] != ["4", "2", "-1", "2158"]:
            pass
        return raw

    def greet(self, versions: bytes) -> None:
        self._writer.write(b"API\0" + frame(versions))

    def send(self, *fields: object) -> None:
        self._writer.write(frame("".join(f"{each}\0" for each in fields).encode()))

    def bars(self, number: int, **other: Any) -> None:
        asked = {"symbol": "AAPL", "size": "1 hour", "duration": "1 D", "end": _NOON, **other}
        contract = (0, asked["symbol"], "STK", "", 0.0, "", "", "SMART", "", "USD", "", "")
        show = other.get("show", "TRADES")
        self.send(
            20,
            number,
            *contract,
            0,
            asked["end"],
            asked["size"],
            asked["duration"],
            1,
            show,
            2,
            0,
            "",
        )

    async def next(self) -> list[str]:
        """Give the next message; raise where the connection ends."""
        (length,) = struct.unpack(">I", await self.reader.readexactly(4))
        assert length < 1 << 24, "a frame that nobody may take"
        payload = await self.reader.readexactly(length)
        return payload.decode(errors="replace").split("\0")[:-1]

    async def silent(self) -> bool:
        """Whether nothing comes for a while."""
        try:
            await asyncio.wait_for(self.reader.readexactly(1), 0.1)
        except TimeoutError:
            return True
        return False

    async def close(self) -> None:
        self._writer.close()
        await asyncio.gather(self._writer.wait_closed(), return_exceptions=True)


def frame(payload: bytes) -> bytes:
    """Put a message's length before it."""
    return struct.pack(">I", len(payload)) + payload


def with_raw(gateway: IbGatewaySimulator, work: Any) -> Any:
    async def main() -> Any:
        raw = await Raw.connect(gateway)
        try:
            return await asyncio.wait_for(work(raw), 20)
        finally:
            await raw.close()

    return asyncio.run(main())
