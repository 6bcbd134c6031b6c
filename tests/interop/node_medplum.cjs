// The npm package @medplum/hl7 as a peer: `serve` prints its port and accepts what comes; `send HOST PORT FILE` prints the answer's code.
const fs = require('node:fs');
const { createRequire } = require('node:module');
const { Hl7Client, Hl7Server } = createRequire(`${process.env.INTEROP_NODE}/`)('@medplum/hl7');
const { Hl7Message } = createRequire(`${process.env.INTEROP_NODE}/`)('@medplum/core');

async function send(host, port, file) {
  const client = new Hl7Client({ host, port: Number(port), encoding: 'utf-8' });
  const answer = await client.sendAndWait(Hl7Message.parse(fs.readFileSync(file, 'utf-8')));
  console.log(answer.getSegment('MSA').getField(1).toString());
  client.close();
}

function serve() {
  // It reports each message also as an error, since it waits for no answer itself: that is not listened to.
  const server = new Hl7Server((connection) => {
    connection.addEventListener('message', ({ message }) => connection.send(message.buildAck()));
  });
  server.start(0, 'utf-8');
  server.server.on('listening', () => console.log(server.server.address().port));
}

if (process.argv[2] === 'serve') serve();
else send(...process.argv.slice(3));
