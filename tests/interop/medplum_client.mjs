// Sends with Medplum's client. Usage: HOST PORT FILE…; prints each answer as a line of JSON.
import { readFileSync } from 'node:fs';
import { Hl7Message } from '@medplum/core';
import { Hl7Client } from '@medplum/hl7';

const [host, port, ...files] = process.argv.slice(2);
const client = new Hl7Client({ host, port: Number(port), keepAlive: true });
for (const file of files) {
  const answer = await client.sendAndWait(Hl7Message.parse(readFileSync(file, 'utf8')));
  console.log(JSON.stringify({ answer: answer.toString() }));
}
await client.close();
