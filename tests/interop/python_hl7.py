"""The PyPI package hl7 as a peer: `serve` prints its port, takes messages and accepts them; `send HOST PORT FILE` prints the answer."""

import asyncio
import sys

import hl7
from hl7.client import MLLPClient
from hl7.mllp import start_hl7_server


async def converse(reader, writer):
    while not writer.is_closing():
        try:
            message = await reader.readmessage()
        except (asyncio.IncompleteReadError, ConnectionError):
            break
        writer.writemessage(message.create_ack())
        await writer.drain()
    writer.close()


async def serve():
    async with await start_hl7_server(converse, "127.0.0.1", 0, encoding="utf-8") as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()


def send(host, port, file):
    with open(file, encoding="utf-8", newline="") as text:
        message = text.read()
    with MLLPClient(host, int(port)) as client:
        answer = client.send_message(message)
        # The client reads once, and an answer may come in pieces.
        while not answer.endswith(b"\x1c\r"):
            more = client.socket.recv(4096)
            if not more:
                break
            answer += more
    frame = answer.decode("utf-8").strip("\x0b\x1c\r")
    print(str(hl7.parse(frame).segment("MSA")[1]), flush=True)


if sys.argv[1] == "serve":
    asyncio.run(serve())
else:
    send(*sys.argv[2:])
