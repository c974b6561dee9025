import { useEffect, useState } from "preact/hooks";

export type Route = { at: "pools" } | { at: "functions" } | { at: "function"; name: string } | { at: "events" };

/** The part of the address after `#` is never sent to a server. */
export function routeOf(hash: string): Route {
  const [at = "", name = ""] = hash.replace(/^#\/?/, "").split("/");
  if (at === "functions") return name === "" ? { at } : { at: "function", name: decoded(name) };
  return at === "events" ? { at } : { at: "pools" };
}

export function linkTo(name: string): string {
  return `#/functions/${encodeURIComponent(name)}`;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

export function useRoute(): Route {
  const [hash, setHash] = useState(location.hash);
  useEffect(() => {
    const changed = () => setHash(location.hash);
    addEventListener("hashchange", changed);
    return () => removeEventListener("hashchange", changed);
  }, []);
  return routeOf(hash);
}
