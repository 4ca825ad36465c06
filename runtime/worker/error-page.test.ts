import { expect, test } from "vitest";
import { errorPage } from "./error-page.ts";

const failure = { title: "The handler threw", code: "HANDLER_EXCEPTION", requestId: "abc" };

test("an error page shows the message and the frames", () => {
  const { body, headers } = errorPage({ ...failure, stack: "Error: boom\n    at f (a.ts:3:9)" });
  expect(body).toContain("<h1>Error: boom</h1>");
  expect(body).toContain("at f (a.ts:3:9)");
  expect(headers).toContain("text/html");
});

test("an error page without a stack shows the title of its code", () => {
  expect(errorPage({ ...failure, stack: "" }).body).toContain("<h1>The handler threw</h1>");
});

test("an error page runs nothing that the message contains", () => {
  const { body, headers } = errorPage({ ...failure, stack: "Error: <script>x</script>&" });
  expect(body).not.toContain("<script>");
  expect(body).toContain("&lt;script&gt;x&lt;/script&gt;&amp;");
  expect(headers).toContain("default-src 'none'");
});
