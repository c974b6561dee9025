import { expect, test } from "vitest";
import { RouterError } from "../../../../router/errors.ts";
import { invokeTargetOf } from "../../../../router/lambda-api/invoke-target.ts";

const target = (name: string, query = "") => {
  const found = invokeTargetOf(`/2015-03-31/functions/${name}/invocations${query}`);
  return found instanceof RouterError ? [found.code, found.message] : [found.name, found.version];
};

test.each([
  ["greet", "", "greet", null],
  ["greet", "?Qualifier=r2", "greet", "r2"],
  ["greet", "?Qualifier=%24LATEST", "greet", null],
  ["greet:next", "", "greet", "next"],
  ["greet%3Anext", "?Qualifier=next", "greet", "next"],
  ["greet:$LATEST", "", "greet", null],
  ["arn:aws:lambda:eu-west-1:123456789012:function:greet", "", "greet", null],
  ["arn%3Aaws%3Alambda%3Alocal%3A000000000000%3Afunction%3Agreet%3Ar3", "", "greet", "r3"],
  ["arn:aws-us-gov:lambda:us-gov-west-1:123456789012:function:greet", "?Qualifier=r3&x=1", "greet", "r3"],
  ["123456789012:function:greet", "", "greet", null],
  ["123456789012:function:greet:r2", "", "greet", "r2"],
  ["function:greet", "", "greet", null],
  ["UPPER_case", "", "UPPER_case", null],
])("%s%s names a function", (name, query, expected, version) => {
  expect(target(name, query)).toEqual([expected, version]);
});

test.each([
  ["greet@r2", "", /not the name or ARN/],
  ["gr%2Feet", "", /not the name or ARN/],
  ["", "", /not the name or ARN/],
  ["%", "", /not the name or ARN/],
  ["a:b:c", "", /not the name or ARN/],
  ["arn:aws:s3:eu-west-1:123456789012:function:greet", "", /not the name or ARN/],
  ["greet:r1", "?Qualifier=r2", /qualifier/],
])("%s%s does not", (name, query, message) => {
  const [code, said] = target(name, query);
  expect([code, said]).toEqual(["CALL_INVALID", expect.stringMatching(message)]);
});

test.each([
  ["/2015-03-31/functions", "GetFunction and others"],
  ["/2015-03-31/functions/greet", ""],
  ["/2015-03-31/functions/greet/invocations/more", ""],
  ["/2015-03-31/functions/a/b/invocations", ""],
])("%s is another action", (url) => {
  expect(invokeTargetOf(url)).toMatchObject({ code: "ACTION_UNKNOWN" });
});
