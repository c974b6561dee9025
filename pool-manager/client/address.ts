/** What a host may be made of, as a name or an address: nothing that ends it within a URL. */
export const HOST_PATTERN = "^[0-9A-Za-z._:%-]+$";

/** `HOST:PORT`; an IPv6 address is set in brackets, since its colons would be taken for that of the port. */
export function hostPort(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

export function httpUrl(host: string, port: number): string {
  return `http://${hostPort(host, port)}`;
}

/** Whether a plain HTTP request can be sent there; whatever cannot be parsed would throw where nobody expects it. */
export function isHttpUrl(text: string): boolean {
  return URL.canParse(text) && new URL(text).protocol === "http:";
}
