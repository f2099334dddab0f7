"""A WebSocket peer that is not ours: python3-websockets.

`peer.py client URL [CERTIFICATE]` tries what an echo server must do; `peer.py server` echoes lines, and closes
with 3001 when it is told "bye". Both end with an exception, and so a status that is not 0, where something is
not as it should be.
"""

import asyncio
import os
import ssl
import sys

import websockets

BIG = 1 << 20


async def client(url, certificate=None):
    context = ssl.create_default_context(cafile=certificate) if certificate else None
    options = {"ssl": context, "max_size": 4 * BIG, "compression": None}

    async with websockets.connect(url, **options) as socket:
        # Where the lengths of frames change their form, and beyond what the buffers hold.
        for length in [0, 1, 125, 126, 65_535, 65_536, BIG]:
            data = os.urandom(length)
            await socket.send(data)
            assert await socket.recv() == data, length
            text = "é" * (length // 2)
            await socket.send(text)
            assert await socket.recv() == text, length

        # A message in fragments, with a ping in the middle of it.
        async def fragments():
            for fragment in ["one ", "", "two ", "three"]:
                yield fragment
                await asyncio.wait_for(await socket.ping(), 60)

        await socket.send(fragments())
        assert await socket.recv() == "one two three"
        await socket.send([b"x" * BIG, b"y", b"z" * BIG])
        assert await socket.recv() == b"x" * BIG + b"y" + b"z" * BIG

        # Many that are under way at once, in their order, with pings between them.
        async def send():
            for number in range(2_000):
                await socket.send(bytes([number % 256]) * number)
                if number % 100 == 0:
                    await socket.ping()

        async def receive():
            for number in range(2_000):
                assert await socket.recv() == bytes([number % 256]) * number

        await asyncio.gather(send(), receive())
        pong = await socket.ping(b"last")
        await asyncio.wait_for(pong, 60)

    # The code of a close comes back.
    assert socket.close_code == 1000, socket.close_code
    for code in [1001, 3000, 4999]:
        socket = await websockets.connect(url, **options)
        await socket.close(code, "that is all")
        assert socket.close_code == code, socket.close_code


async def server():
    codes = asyncio.Queue()

    async def echo(socket):
        try:
            async for message in socket:
                if message == "bye":
                    await socket.close(3001, "so long")
                    break
                # As two fragments, of which one may be empty.
                await socket.send([message[:1], message[1:]])
        finally:
            await codes.put(socket.close_code)

    async with websockets.serve(echo, "127.0.0.1", 0) as listener:
        host, port = next(iter(listener.sockets)).getsockname()
        print(f"listening on {host}:{port}", flush=True)
        while True:
            print(f"closed: {await codes.get()}", flush=True)


asyncio.run({"client": client, "server": server}[sys.argv[1]](*sys.argv[2:]))
