// The npm packages node-hl7-client and node-hl7-server as peers: `serve PORT` prints its port and accepts what comes; `send HOST PORT
// FILE` prints the answer's code.
const fs = require('node:fs');
const { createRequire } = require('node:module');
const load = createRequire(`${process.env.INTEROP_NODE}/`);

function send(host, port, file) {
  const { Client, Message } = load('node-hl7-client');
  const client = new Client({ host });
  const connection = client.createConnection({ port: Number(port) }, async (answer) => {
    console.log(answer.getMessage().get('MSA.1').toString());
    await connection.close();
    process.exit(0);
  });
  connection.sendMessage(new Message({ text: fs.readFileSync(file, 'utf-8').trimEnd() }));
}

function serve(port) {
  const { Server } = load('node-hl7-server');
  const server = new Server({ bindAddress: '127.0.0.1' });
  const door = server.createInbound({ port: Number(port) }, async (request, response) => {
    await response.sendResponse('AA');
  });
  door.on('listen', () => console.log(port));
}

if (process.argv[2] === 'serve') serve(process.argv[3]);
else send(...process.argv.slice(3));
