// Receives with Medplum's server. Prints its port, then each message, as lines of JSON.
import { Hl7Server } from '@medplum/hl7';

const server = new Hl7Server((connection) => {
  connection.addEventListener('message', ({ message }) => {
    console.log(JSON.stringify({ message: message.toString() }));
    connection.send(message.buildAck());
  });
});
await server.start(0);
console.log(JSON.stringify({ port: server.server.address().port }));
