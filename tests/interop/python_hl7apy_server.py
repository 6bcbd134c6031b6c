"""Receives with hl7apy, which closes the connection after each message. Prints its port, then each message, as lines of JSON."""

import json

from hl7apy.core import Message
from hl7apy.mllp import AbstractHandler, MLLPServer
from hl7apy.parser import parse_message


class Referral(AbstractHandler):
    def reply(self):
        print(json.dumps({"message": self.incoming_message}), flush=True)
        request = parse_message(self.incoming_message, find_groups=False)
        answer = Message("ACK", version=request.version)
        answer.msh.msh_9 = "ACK^I12^ACK"
        answer.msh.msh_10 = "APY" + request.msh.msh_10.value
        answer.msh.msh_11 = "P"
        answer.msa.msa_1 = "AA"
        answer.msa.msa_2 = request.msh.msh_10.value
        return answer.to_mllp()


kinds = ["REF^I12^REF_I12", "RRI^I12^RRI_I12", "ACK^I12^ACK"]
server = MLLPServer("127.0.0.1", 0, {kind: (Referral,) for kind in kinds})
print(json.dumps({"port": server.server_address[1]}), flush=True)
server.serve_forever()
