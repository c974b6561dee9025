import { HTTP } from "cloudevents";

/** Answers with the event that it was sent, in the other of the two modes. */
export default async (req, res) => {
  const chunks = [];
  for await (const chunk of req) chunks.push(chunk);
  const { headers } = req;
  const event = HTTP.toEvent({ headers, body: Buffer.concat(chunks).toString() });
  const message = headers["ce-id"] ? HTTP.structured(event) : HTTP.binary(event);
  res.writeHead(200, message.headers);
  res.end(typeof message.body === "string" ? message.body : JSON.stringify(message.body));
};
