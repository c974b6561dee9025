import { expect, test, vi } from "vitest";
import { isHost } from "../../../../router/downstream/host.ts";

test.each([
  ["", true],
  ["shop.example.com", true],
  ["shop.example.com:8080", true],
  ["[::1]:80", true],
  ["shop example", false],
  ["user@shop", false],
  ["shop:port", false],
  ["[::1", false],
])("%j is a host: %j", (text, valid) => {
  expect(isHost(text)).toBe(valid);
  expect(isHost(text)).toBe(valid);
});

test("a full cache forgets its oldest host alone", () => {
  const names = Array.from({ length: 1001 }, (_, at) => `shop-${at}.example.com`);
  for (const name of names) expect(isHost(name)).toBe(true);
  const parse = vi.spyOn(URL, "canParse");
  for (const name of names.slice(1).reverse()) isHost(name);
  expect(parse).not.toHaveBeenCalled();
  isHost(names[0] as string);
  expect(parse).toHaveBeenCalledOnce();
  parse.mockRestore();
});
