import { expect, test } from "vitest";
import { openFaasCallOf, passedHeaders, refusalOf } from "../../../../router/openfaas-api/managed-path.ts";

test.each([
  ["/system/functions", "manage"],
  ["/system/functions?namespace=x", "manage"],
  ["/system", "manage"],
  ["/systematic", null],
  ["/async-function/f.openfaas-fn", "async"],
  ["/async-functions", null],
  ["/function/f", null],
  ["/v1/functions", null],
])("%s is %s", (url, call) => {
  expect(openFaasCallOf(url)).toBe(call);
});

const refused = (url: string, headers: Record<string, string> = {}) => refusalOf({ url, header: (name) => headers[name] })?.code ?? null;

test.each([
  ["/system/functions", null],
  ["/system/function/f?usage=1", null],
  ["/system/logs?name=../f", null],
  ["/system/namespace/", null],
  ["/system/..x/f", null],
  ["/system", "PATH_INVALID"],
  ["/system/../v1/functions", "PATH_INVALID"],
  ["/system/.", "PATH_INVALID"],
  ["/system/a/..", "PATH_INVALID"],
  ["/system/a/..?x", "PATH_INVALID"],
  ["/system/%2e%2e/v1/functions", "PATH_INVALID"],
  ["/system/a\\..\\v1", "PATH_INVALID"],
  ["/system/a#b", "PATH_INVALID"],
])("only a plain path below /system is passed on: %s", (url, code) => {
  expect(refused(url)).toBe(code);
});

test.each(["origin", "sec-fetch-site"])("no request of a browser is passed on, also not one of the same site: %s", (name) => {
  expect(refused("/system/functions", { [name]: "same-origin" })).toBe("PAGE_REFUSED");
  expect(refused("/system/functions", { "sec-fetch-mode": "cors" })).toBe(null);
});

test("headers of routers and of the connection are not passed on", () => {
  const sent = ["Host", "h:1", "X-Berth-Router", "r", "Authorization", "Basic x", "Connection", "close", "x-berth-api-key", "k", "Content-Length", "3"];
  expect(passedHeaders(sent)).toEqual(["Host", "h:1", "Authorization", "Basic x", "x-berth-api-key", "k"]);
});
