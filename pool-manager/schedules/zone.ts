import { nearest } from "../functions/manifest/nearest.ts";

/** Whether the time zone database of this process has the name. Offsets such as +01:00 are no zones: they know no summer time. */
export function isZone(name: string): boolean {
  if (!/^[A-Za-z][\w+/-]*$/.test(name)) return false;
  try {
    new Intl.DateTimeFormat("en", { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

/** The zone that a mistyped name most likely means; also found by the city alone. */
export function nearestZone(name: string): string | undefined {
  const zones = Intl.supportedValuesOf("timeZone");
  const city = name.toLowerCase().replaceAll(" ", "_");
  return zones.find((zone) => zone.toLowerCase().endsWith(`/${city}`)) ?? nearest(name, zones);
}
