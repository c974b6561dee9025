import Table from "cli-table3";
import pc from "picocolors";
import { stringify } from "yaml";

export type Format = "table" | "json" | "yaml";

export interface Column<T> {
  title: string;
  value(row: T): string | number;
}

/** Prints a list to stdout: as a table, or as the API's own objects in JSON or YAML. */
export function printList<T>(items: readonly T[], columns: readonly Column<T>[], format: Format): void {
  if (format !== "table") return printData(items, format);
  const plain = { top: "", "top-mid": "", "top-left": "", "top-right": "", bottom: "", "bottom-mid": "", "bottom-left": "", "bottom-right": "" };
  const lines = { left: "", "left-mid": "", mid: "", "mid-mid": "", right: "", "right-mid": "", middle: "  " };
  const table = new Table({
    head: columns.map((column) => pc.bold(column.title)),
    chars: { ...plain, ...lines },
    style: { "padding-left": 0, "padding-right": 0, head: [], border: [] },
  });
  for (const item of items) table.push(columns.map((column) => column.value(item)));
  process.stdout.write(`${table.toString()}\n`);
}

/** Prints one object: a line for each field, or JSON or YAML. */
export function printOne(item: object, format: Format): void {
  if (format !== "table") return printData(item, format);
  const width = Math.max(...Object.keys(item).map((key) => key.length)) + 2;
  for (const [key, value] of Object.entries(item)) {
    const text = typeof value === "object" && value !== null ? inline(value) : String(value ?? "-");
    process.stdout.write(`${pc.bold(key.padEnd(width))}${text}\n`);
  }
}

export function printData(value: unknown, format: Format): void {
  process.stdout.write(format === "yaml" ? stringify(value) : `${JSON.stringify(value, null, 2)}\n`);
}

/** Prints a message to stderr. */
export function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

function inline(value: object): string {
  if (Array.isArray(value)) return value.join(", ") || "-";
  return (
    Object.entries(value)
      .map(([key, inner]) => `${key}=${typeof inner === "object" ? JSON.stringify(inner) : inner}`)
      .join(" ") || "-"
  );
}
