"""Sends with the blocking client of PyPI's hl7. Usage: HOST PORT FILE…; prints each answer as a line of JSON."""

import json
import sys

from hl7.client import MLLPClient

host, port, *files = sys.argv[1:]
with MLLPClient(host, int(port)) as client:
    for file in files:
        with open(file, "rb") as message:
            answer = client.send_message(message.read())
        print(json.dumps({"answer": answer.decode().strip("\x0b\x1c\r") + "\r"}), flush=True)
