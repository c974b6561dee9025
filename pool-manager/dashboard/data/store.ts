import { useEffect, useRef, useState } from "preact/hooks";
import { apply, EMPTY, type Message, type State } from "./state.ts";

type Listener = () => void;

let state: State = EMPTY;
let frame = 0;
const listeners = new Set<Listener>();

export const store = {
  get: () => state,
  hear(message: Message): void {
    store.set(apply(state, message, performance.now()));
  },
  /** Listeners are called once for each frame that the browser draws. */
  set(next: State): void {
    state = next;
    if (frame !== 0) return;
    frame = requestAnimationFrame(() => {
      frame = 0;
      for (const listener of [...listeners]) listener();
    });
  },
};

/** The value that `select` reads from the state; the component is drawn again when it is another one. */
export function useStore<T>(select: (state: State) => T): T {
  const [, redraw] = useState(0);
  const value = select(state);
  const last = useRef(value);
  const selector = useRef(select);
  last.current = value;
  selector.current = select;
  useEffect(() => {
    const listener = () => {
      if (!Object.is(selector.current(state), last.current)) redraw((count) => count + 1);
    };
    listeners.add(listener);
    listener();
    return () => void listeners.delete(listener);
  }, []);
  return value;
}

/** Draws the component again each second; the result is the pool manager's clock in milliseconds. */
export function useClock(): number {
  const [, redraw] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => redraw((count) => count + 1), 1000);
    return () => clearInterval(timer);
  }, []);
  const { now, at } = state.clock;
  return now + performance.now() - at;
}
