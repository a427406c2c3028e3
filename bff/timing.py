"""Answers whose time must tell nothing (invariant 9)."""

import asyncio
import time


async def wait_until(moment: float) -> None:
    """Wait until a moment of `time.monotonic`; not at all when it is over."""
    await asyncio.sleep(max(0.0, moment - time.monotonic()))
