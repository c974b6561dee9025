import type { EventEmitter } from "node:events";
import { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { type Call, currentCall } from "./call.ts";

const CALL = Symbol("call");

type Emit = EventEmitter["emit"];
type Bound = EventEmitter & { [CALL]?: Call };

/**
 * From now on listeners of a bound request or response run in the context of its invocation. Node calls them in that
 * of the connection: what they log and throw would belong to nobody, and a handler that parses its body in a listener
 * for `end` would leave its client waiting. On the prototypes, since frameworks replace those of single objects.
 */
export function followCalls(): void {
  for (const { prototype } of [IncomingMessage, ServerResponse] as { prototype: Bound }[]) {
    const { emit } = prototype;
    prototype.emit = function (...args: Parameters<Emit>) {
      const call = this[CALL];
      return call ? emitIn(call, emit, this, args) : emit.apply(this, args);
    };
  }
}

/** Binds a request or its response to the invocation. */
export function bindEvents(emitter: IncomingMessage | ServerResponse, call: Call): void {
  (emitter as Bound)[CALL] = call;
}

/** Binds a connection that is the invocation's own. */
export function bindSocket(socket: EventEmitter, call: Call): void {
  const { emit } = socket;
  socket.emit = (...args: Parameters<Emit>) => emitIn(call, emit, socket, args);
}

/**
 * A function does not end a connection to a router once it has answered: another client's invocation may be on its way
 * over it. Express does so where code throws after its answer. What node:http ends itself, it ends.
 */
export function keepConnection(socket: Socket): void {
  const { destroy } = socket;
  socket.destroy = (error?: Error) => {
    const res = currentCall.getStore()?.res;
    const isAnswered = res?.req.socket === socket && res.writableEnded && res.shouldKeepAlive;
    const isWhole = error === undefined && !socket.readableEnded && !socket.writableEnded;
    return isAnswered && isWhole ? socket : destroy.call(socket, error);
  };
}

function emitIn(call: Call, emit: Emit, emitter: EventEmitter, args: Parameters<Emit>): boolean {
  const before = currentCall.getStore();
  if (before === call) return emit.apply(emitter, args);
  currentCall.enterWith(call);
  const heard = emit.apply(emitter, args);
  // Not after an error: whoever takes what nobody has caught asks whose it is.
  currentCall.enterWith(before as Call);
  return heard;
}
