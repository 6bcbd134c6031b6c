"""The PyPI package hl7apy as a peer: `serve` prints its port and accepts what its own tables say is well formed; it closes the
connection after each message. It has no client."""

from hl7apy.core import Message
from hl7apy.mllp import AbstractHandler, MLLPServer
from hl7apy.parser import parse_message
from hl7apy.validation import VALIDATION_LEVEL


class Accept(AbstractHandler):
    def reply(self):
        message = parse_message(self.incoming_message, validation_level=VALIDATION_LEVEL.TOLERANT)
        answer = Message("ACK", version=message.version)
        answer.msh.msh_9 = "ACK^I12^ACK"
        answer.msa.msa_1 = "AA" if message.name == "REF_I12" and message.pid.pid_5.value else "AE"
        answer.msa.msa_2 = message.msh.msh_10.value
        return answer.to_mllp()


server = MLLPServer("127.0.0.1", 0, {"REF^I12^REF_I12": (Accept,)})
print(server.server_address[1], flush=True)
server.serve_forever()
