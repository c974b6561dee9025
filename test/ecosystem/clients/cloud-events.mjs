/** Sends a CloudEvent in both modes with the SDK for JavaScript. */
import { CloudEvent, emitterFor, httpTransport, Mode } from "cloudevents";

for (const [number, mode] of [Mode.BINARY, Mode.STRUCTURED].entries()) {
  const emit = emitterFor(httpTransport(process.argv[2]), { mode });
  await emit(new CloudEvent({ id: `js-${number}`, source: "/javascript", type: "made", subject: "x", data: { n: number } }));
}
