"""Receives with PyPI's hl7. Prints its port, then each message, as lines of JSON; answers with the library's own acknowledgement."""

import asyncio
import json

from hl7.mllp import start_hl7_server


async def serve(reader, writer):
    try:
        while not reader.at_eof():
            message = await reader.readmessage()
            print(json.dumps({"message": str(message)}), flush=True)
            writer.writemessage(message.create_ack("AA"))
            await writer.drain()
    except asyncio.IncompleteReadError:
        pass
    finally:
        writer.close()


async def main():
    server = await start_hl7_server(serve, "127.0.0.1", 0, encoding="utf-8", limit=1 << 26)
    print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
    await server.serve_forever()


asyncio.run(main())
