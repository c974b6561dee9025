import type { EventEmitter } from "node:events";
import { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { type Call, currentCall } from "./call.ts";

const CALL = Symbol("call");

type Emit = EventEmitter["emit"];
type Bound = EventEmitter & { [CALL]?: Call };

/**
 * Makes listeners of a bound request or response run in the context of its invocation. Node calls them in the context of
 * the connection: their logs and errors would belong to no invocation, and if a handler's listener for `end` threw, its
 * client would get no answer. `emit` is replaced on the prototypes, since frameworks replace those of single objects.
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

/** Binds a connection that belongs to the invocation. */
export function bindSocket(socket: EventEmitter, call: Call): void {
  const { emit } = socket;
  socket.emit = (...args: Parameters<Emit>) => emitIn(call, emit, socket, args);
}

/**
 * A function does not end a connection to a router once it has answered: another client's invocation may be on its way
 * over it. Express does so where code throws after its answer. An end by node:http itself is let through; a response with
 * `connection: close` makes the router end the connection.
 */
export function keepConnection(socket: Socket): void {
  const { end, destroySoon, destroy } = socket;
  const isKept = (error?: Error) => {
    const res = currentCall.getStore()?.res;
    const isAnswered = res?.req.socket === socket && res.writableEnded && res.shouldKeepAlive;
    return isAnswered && !isOfSystem(error) && !socket.readableEnded && !socket.writableEnded;
  };
  socket.end = (...args: unknown[]) => (isKept() ? socket : (end as (...all: unknown[]) => Socket).apply(socket, args));
  socket.destroySoon = () => isKept() || destroySoon.call(socket);
  socket.destroy = (error?: Error) => (isKept(error) ? socket : destroy.call(socket, error));
}

/** Whether a system call has failed: the connection is broken. A write that fails does so in the context of its invocation. */
function isOfSystem(error: NodeJS.ErrnoException | undefined): boolean {
  return error?.syscall !== undefined;
}

function emitIn(call: Call, emit: Emit, emitter: EventEmitter, args: Parameters<Emit>): boolean {
  const before = currentCall.getStore();
  if (before === call) return emit.apply(emitter, args);
  currentCall.enterWith(call);
  const hadListeners = emit.apply(emitter, args);
  // Not restored after an error: the handler of uncaught errors needs the invocation that it came from.
  currentCall.enterWith(before as Call);
  return hadListeners;
}
