import type { ApiError } from "../data/api.ts";
import type { Connection, Message } from "../data/state.ts";
import { store } from "../data/store.ts";
import { follow } from "./follow.ts";

/** The pool manager sends something each second. */
const SILENT_MS = 5000;

let stop = () => {};

/** Follows the overview from now on, by the key that is kept. */
export function connect(): void {
  stop();
  stop = follow("/v1/overview?follow=true", SILENT_MS, {
    message: (data) => store.hear(data as Message),
    lost: (error) => {
      const connection = connectionAfter(error);
      store.set({ ...store.get(), connection });
      return connection.is === "lost";
    },
  });
}

export function connectionAfter({ code, status, message }: ApiError): Connection {
  if (code === "KEY_MISSING") return store.get().connection.is === "key" ? store.get().connection : { is: "key", reason: "" };
  if (status === 403) return { is: "key", reason: `${message}. The dashboard needs a key with the role manage.` };
  return { is: "lost", reason: message };
}
