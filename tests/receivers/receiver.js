import { createServer } from "node:http";
import { Webhook } from "standardwebhooks";

const webhook = new Webhook(process.env.WEBHOOK_SECRET);
const seen = new Set(); // in a database, in real life: unique, and kept for a few days

createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const body = Buffer.concat(chunks).toString(); // the bytes as they came, not parsed and written again
  let event;
  try {
    event = webhook.verify(body, request.headers);
  } catch (error) {
    return response.writeHead(400).end(error.message);
  }
  const id = request.headers["webhook-id"];
  if (!seen.has(id)) {
    console.log(event.type, event.data); // your work, or a job in your own queue
    seen.add(id);
  }
  response.writeHead(204).end();
}).listen(Number(process.argv[2]), "127.0.0.1");
