"""Sends with the blocking client of PyPI's hl7. Usage: HOST PORT FILE…; prints each answer as a line of JSON."""

import json
import sys

from hl7.client import MLLPClient

host, port, *files = sys.argv[1:]
with MLLPClient(host, int(port)) as client:
    for file in files:
        with open(file, "rb") as message:
            answer = client.send_message(message.read())
        # It gives what one recv does; the rest is still in its socket.
        while not answer.endswith(b"\x1c\r"):
            answer += client.socket.recv(4096)
        print(json.dumps({"answer": answer.decode().strip("\x0b\x1c\r") + "\r"}), flush=True)
