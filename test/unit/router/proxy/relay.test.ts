import { Socket } from "node:net";
import { expect, test } from "vitest";
import { RouterError } from "../../../../router/errors.ts";
import { Relay, type RelaySide } from "../../../../router/proxy/relay.ts";
import type { ResponseHandler, UpstreamRequest } from "../../../../router/upstream/http1-connection.ts";
import { FakeExchange } from "../../../fakes/fake-exchange.ts";

/** A relay whose side and client write down what they are told, with the state of its connection. */
class Relayed {
  readonly told: string[] = [];
  readonly exchange = new FakeExchange("/");
  readonly upstream = new Socket();
  readonly relay: Relay;
  /** Withholds the response. */
  withhold = false;
  #connection: ResponseHandler | null = null;

  constructor() {
    const say = (word: string) => void this.told.push(word);
    const side: RelaySide = {
      callId: "c",
      loaded: () => say("loaded"),
      hints: () => [],
      answered: (status) => (this.withhold ? () => say(`withheld ${status}`) : []),
      joined: () => [],
      failed: (_error, how) => say(how),
      ended: (status, isOpen, code) => say(`ended ${code ?? status}${isOpen ? ", open" : ""}`),
      closed: () => say("closed"),
    };
    this.relay = new Relay(this.exchange, side);
  }

  get connection(): ResponseHandler {
    if (!this.#connection) throw new Error("nothing was sent");
    return this.#connection;
  }

  get received(): string[] {
    return this.exchange.received;
  }

  wait(): void {
    this.relay.wait(() => this.told.push("wait ends"));
  }

  send(): void {
    const request = { head: "", body: null, isHead: false, upgrade: false };
    const send = (_request: UpstreamRequest, handler: ResponseHandler) => {
      this.#connection = handler;
    };
    this.relay.send({ send }, request);
  }

  connect(): void {
    this.connection.onConnect(() => this.told.push("aborted"));
  }

  head(status: number): void {
    this.connection.onHeaders(status, [], () => {}, "");
  }

  join(): void {
    this.connection.onJoin("", [], this.upstream, Buffer.from("first"));
  }
}

type Phase = "waiting" | "connecting" | "sent" | "withheld" | "answering" | "joined";

function relayedTo(phase: Phase): Relayed {
  const relayed = new Relayed();
  if (phase === "waiting") {
    relayed.wait();
    return relayed;
  }
  relayed.send();
  if (phase === "connecting") return relayed;
  relayed.connect();
  if (phase === "joined") relayed.join();
  relayed.withhold = phase === "withheld";
  if (phase === "withheld" || phase === "answering") relayed.head(200);
  return relayed;
}

const error = new RouterError("SHUTTING_DOWN", "the router stops");

// I7
test.each<[Phase, string, (relayed: Relayed) => void, string[], string[]]>([
  ["sent", "the response", ({ connection }) => void [connection.onData(Buffer.from("early")), connection.onHeaders(200, [], () => {}, "")], [], ["200"]],
  ["sent", "102", (relayed) => relayed.head(102), ["loaded"], []],
  ["sent", "103", (relayed) => relayed.head(103), [], ["103"]],
  ["sent", "100", (relayed) => relayed.head(100), [], []],
  ["sent", "an upgrade", (relayed) => relayed.join(), [], ["joined", "first"]],
  ["withheld", "its body", ({ connection }) => void connection.onData(Buffer.from("secret")), [], []],
  ["withheld", "its end", ({ connection }) => connection.onComplete(), ["withheld 200"], []],
  ["answering", "its body", ({ connection }) => void connection.onData(Buffer.from("body")), [], ["200", "body"]],
  ["answering", "its end", ({ connection }) => connection.onComplete(), ["ended 200"], ["200", "end"]],
  ["connecting", "a failure", ({ connection }) => connection.onError(new Error()), ["unsent"], []],
  ["sent", "a failure", ({ connection }) => connection.onError(new Error()), ["unanswered"], []],
  ["withheld", "a failure", ({ connection }) => connection.onError(new Error()), ["unanswered"], []],
  ["answering", "a failure", ({ connection }) => connection.onError(new Error()), ["cut", "ended 502"], ["200", "destroyed"]],
  ["waiting", "the client's end", ({ exchange }) => exchange.leave(), ["wait ends", "ended 499"], []],
  ["connecting", "the client's end", ({ exchange }) => exchange.leave(), ["ended 499"], []],
  ["sent", "the client's end", ({ exchange }) => exchange.leave(), ["ended 499, open", "aborted"], []],
  ["withheld", "the client's end", ({ exchange }) => exchange.leave(), ["ended 499, open", "aborted"], []],
  ["answering", "the client's end", ({ exchange }) => exchange.leave(), ["ended 499, open", "aborted"], ["200"]],
  ["joined", "the client's end", ({ exchange }) => exchange.leave(), ["ended 101"], ["joined", "first"]],
  ["waiting", "an error", ({ relay }) => relay.end(error), ["wait ends", "ended SHUTTING_DOWN"], ["SHUTTING_DOWN"]],
  ["connecting", "an error", ({ relay }) => relay.end(error), ["ended SHUTTING_DOWN"], ["SHUTTING_DOWN"]],
  ["sent", "an error", ({ relay }) => relay.end(error), ["ended SHUTTING_DOWN, open", "aborted"], ["SHUTTING_DOWN"]],
  ["withheld", "an error", ({ relay }) => relay.end(error), ["ended SHUTTING_DOWN, open", "aborted"], ["SHUTTING_DOWN"]],
  ["answering", "an error", ({ relay }) => relay.end(error), ["ended SHUTTING_DOWN, open", "aborted"], ["200", "destroyed"]],
  ["joined", "an error", ({ relay }) => relay.end(error), ["ended SHUTTING_DOWN"], ["joined", "first", "destroyed"]],
])("%s, then %s", (phase, _event, act, told, received) => {
  const relayed = relayedTo(phase);
  act(relayed);
  expect([relayed.told, relayed.received]).toEqual([told, received]);
});

test("a granted upgrade ends with an error of its connection, and continues without one", () => {
  const [ended, left] = [relayedTo("joined"), relayedTo("joined")];
  ended.relay.end(error);
  left.exchange.leave();
  expect([ended.upstream.destroyed, left.upstream.destroyed]).toEqual([true, false]);
});

// I7
test.each<[string, (relayed: Relayed) => void, string[]]>([
  ["connects", (relayed) => relayed.connect(), ["aborted"]],
  ["answers", (relayed) => relayed.head(200), []],
  ["sends hints", (relayed) => relayed.head(103), []],
  ["sends a body", ({ connection }) => void expect(connection.onData(Buffer.from("late"))).toBe(true), []],
  ["completes", ({ connection }) => connection.onComplete(), ["closed"]],
  ["fails", ({ connection }) => connection.onError(new Error()), ["closed"]],
  ["grants an upgrade", (relayed) => relayed.join(), ["closed"]],
])("its connection %s after the end: the client gets nothing more, and no second end is told", (_event, act, told) => {
  const relayed = relayedTo("sent");
  relayed.relay.end(error);
  relayed.told.splice(0);
  act(relayed);
  relayed.relay.end(error);
  relayed.exchange.leave();
  relayed.wait();
  expect([relayed.told, relayed.received]).toEqual([[...told, "wait ends"], ["SHUTTING_DOWN"]]);
});

test("the connection learns that its client accepts no more", () => {
  const relayed = relayedTo("answering");
  relayed.exchange.full = true;
  expect(relayed.connection.onData(Buffer.from("more"))).toBe(false);
});

test("a relay that has yielded its exchange to another one does not report its end", () => {
  const relayed = relayedTo("connecting");
  relayed.connection.onError(new Error());
  relayed.relay.yield();
  relayed.exchange.leave();
  relayed.relay.end(error);
  expect([relayed.told, relayed.received]).toEqual([["unsent"], []]);
});
