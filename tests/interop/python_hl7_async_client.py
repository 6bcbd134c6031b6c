"""Sends with the asyncio streams of PyPI's hl7, which reads frames strictly. Usage: HOST PORT FILE…; prints each answer as JSON."""

import asyncio
import json
import sys

import hl7
from hl7.mllp import open_hl7_connection


async def main(host, port, files):
    reader, writer = await open_hl7_connection(host, int(port), encoding="utf-8")
    for file in files:
        with open(file, encoding="utf-8", newline="") as message:
            writer.writemessage(hl7.parse(message.read()))
        await writer.drain()
        answer = await reader.readmessage()
        print(json.dumps({"answer": str(answer)}), flush=True)
    writer.close()


asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3:]))
