/** The methods of the API's paths, so that a wrong method is answered with 405 and not 404. */
export class PathMethods {
  readonly #paths = new Map<string, { pattern: RegExp; methods: Set<string> }>();

  /** `url` as routes are declared: `/v1/functions/:name`, `/docs/*`. */
  add(url: string, methods: string | readonly string[]): void {
    const known = this.#paths.get(url) ?? { pattern: patternOf(url), methods: new Set<string>() };
    for (const method of [methods].flat()) known.methods.add(method);
    this.#paths.set(url, known);
  }

  /** Sorted methods of a path; empty if the path does not exist. */
  of(path: string): string[] {
    const found = [...this.#paths.values()].filter(({ pattern }) => pattern.test(path));
    return [...new Set(found.flatMap(({ methods }) => [...methods]))].sort();
  }
}

function patternOf(url: string): RegExp {
  const parts = url.split("/").map((part) => (part.startsWith(":") ? "[^/]+" : part === "*" ? ".*" : part.replaceAll(/[^\w-]/g, "\\$&")));
  return new RegExp(`^${parts.join("/")}$`);
}
