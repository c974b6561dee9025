import { BoundedSet } from "../../pool-manager/collections/bounded.ts";

/** The grammar of RFC 3986, 3.2.2 with a port, without user information. */
const HOST = /^(?:\[[0-9A-Fa-f:.]+\]|(?:[\w\-.~!$&'()*+,;=]|%[0-9A-Fa-f]{2})*)(?::\d*)?$/;
const MOST_KNOWN = 1000;
const LONGEST_KNOWN = 253;

/** A cache of valid hosts: most requests name one of a few. */
const known = new BoundedSet<string>(MOST_KNOWN);

/** Whether this is a valid value of `Host` (RFC 9112, 3.2): empty, or a URL's host and port. */
export function isHost(text: string): boolean {
  if (text === "" || known.has(text)) return true;
  if (!HOST.test(text) || !URL.canParse(`http://${text}/`)) return false;
  if (text.length <= LONGEST_KNOWN) known.add(text);
  return true;
}
