"""Sends what hl7apy read and wrote again, framed by its own MLLP codec; it has no client, so the socket is Python's. Usage: HOST PORT
FILE…; prints each answer as a line of JSON."""

import json
import socket
import sys

from hl7apy.parser import parse_message

host, port, *files = sys.argv[1:]
with socket.create_connection((host, int(port)), timeout=30) as connection:
    for file in files:
        with open(file, encoding="utf-8", newline="") as message:
            request = parse_message(message.read(), find_groups=False)
        connection.sendall(request.to_mllp().encode())
        answer = b""
        while not answer.endswith(b"\x1c\r"):
            answer += connection.recv(4096)
        text = answer.decode().strip("\x0b\x1c\r") + "\r"
        # It must be able to read what it is told.
        assert parse_message(text, find_groups=False).msa.msa_2.value == request.msh.msh_10.value
        print(json.dumps({"answer": text}), flush=True)
