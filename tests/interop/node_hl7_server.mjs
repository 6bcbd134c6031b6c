// Receives with node-hl7-server. Usage: PORT, as it takes none by itself; prints the port once it listens, then each message, as JSON.
import { Server } from 'node-hl7-server';

const port = Number(process.argv[2]);
const inbound = new Server({ bindAddress: '127.0.0.1' }).createInbound({ port }, async (request, response) => {
  console.log(JSON.stringify({ message: request.getMessage().toString() }));
  await response.sendResponse('AA');
});
inbound.on('listen', () => console.log(JSON.stringify({ port })));
