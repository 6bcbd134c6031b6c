// Sends with node-hl7-client. Usage: HOST PORT FILE…; prints each answer as a line of JSON.
import { readFileSync } from 'node:fs';
import Client, { Message } from 'node-hl7-client';

const [host, port, ...files] = process.argv.slice(2);
const client = new Client({ host, version: '2.5.1' });
let answered;
const connection = client.createConnection({ port: Number(port) }, async (response) => {
  console.log(JSON.stringify({ answer: response.getMessage().toString() }));
  answered();
});
for (const file of files) {
  const answer = new Promise((resolve) => { answered = resolve; });
  await connection.sendMessage(new Message({ text: readFileSync(file, 'utf8') }));
  await answer;
}
await connection.close();
process.exit(0);
