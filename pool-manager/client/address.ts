/** Pattern of a host name or address; it excludes characters that end the host of a URL. */
export const HOST_PATTERN = "^[0-9A-Za-z._:%-]+$";

/** `HOST:PORT`, with an IPv6 address in brackets. */
export function hostPort(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

export function httpUrl(host: string, port: number): string {
  return `http://${hostPort(host, port)}`;
}

/** True for a valid URL of plain HTTP; false, without throwing, for any other text. */
export function isHttpUrl(text: string): boolean {
  return URL.canParse(text) && new URL(text).protocol === "http:";
}
