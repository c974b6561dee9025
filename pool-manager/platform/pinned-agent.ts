import { Agent, type AgentOptions } from "node:http";
import { connect as tlsConnect } from "node:tls";

/** The peer's certificate is not the pinned one: the runtime was restarted, or another process answers at its address. */
export class FingerprintError extends Error {
  constructor() {
    super("the instance presents another certificate than the pinned one");
  }
}

/**
 * An agent whose connections send nothing before the peer has presented the pinned certificate. A request's `timeout`
 * (milliseconds) bounds the opening of its connection; the default is `connectMs`.
 */
export function pinnedAgent(fingerprint: string, connectMs: number): Agent {
  const agent = new Agent({ keepAlive: true, maxSockets: 2 });
  type Options = AgentOptions & { host: string; port: number; timeout?: number };
  type Connect = (options: Options, done: (error: Error | null, socket?: unknown) => void) => void;
  const connect: Connect = ({ host, port, timeout = connectMs }, done) => {
    const socket = tlsConnect({ host, port, rejectUnauthorized: false, minVersion: "TLSv1.3" });
    const failed = (error: Error) => {
      clearTimeout(timer);
      socket.destroy();
      done(error);
    };
    const timer = setTimeout(() => failed(new Error(`no TLS connection within ${timeout} ms`)), timeout);
    socket.once("error", failed);
    socket.once("secureConnect", () => {
      if (socket.getPeerX509Certificate()?.fingerprint256 !== fingerprint) return failed(new FingerprintError());
      clearTimeout(timer);
      // Keep-alive probes detect a peer that disappeared while the connection was idle.
      socket.setKeepAlive(true, 1000).setNoDelay(true).off("error", failed);
      done(null, socket);
    });
  };
  (agent as unknown as { createConnection: Connect }).createConnection = connect;
  return agent;
}
