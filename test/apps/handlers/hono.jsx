/** @jsxImportSource hono/jsx */
// Middleware of its own and of the package, cookies, a sub-application, JSX, streams, a signed token, a web socket.
import { Hono } from "hono";
import { basicAuth } from "hono/basic-auth";
import { bodyLimit } from "hono/body-limit";
import { getCookie, getSignedCookie, setCookie, setSignedCookie } from "hono/cookie";
import { cors } from "hono/cors";
import { upgradeWebSocket } from "hono/cloudflare-workers";
import { etag } from "hono/etag";
import { HTTPException } from "hono/http-exception";
import { jwt, sign } from "hono/jwt";
import { requestId } from "hono/request-id";
import { secureHeaders } from "hono/secure-headers";
import { stream, streamSSE, streamText } from "hono/streaming";
import { validator } from "hono/validator";

const SECRET = "a secret of the test";

const admin = new Hono();
admin.use(basicAuth({ username: "ada", password: "lovelace" }));
admin.get("/", (c) => c.text("welcome"));

const app = new Hono().basePath("/hono");
app.use("*", requestId(), secureHeaders());
app.use("/cors", cors({ origin: "https://example.com", allowMethods: ["GET", "PUT"] }));
app.use("/api/*", jwt({ secret: SECRET, alg: "HS256" }));
app.route("/admin", admin);

app.get("/", (c) => c.json({ greeting: c.env.GREETING, query: c.req.query("q") ?? null }));
app.get("/cors", (c) => c.text("shared"));
app.get("/users/:id{[0-9]+}", (c) => c.json({ id: Number(c.req.param("id")) }));
app.get("/etag", etag(), (c) => c.text("the same every time"));
app.get("/page", (c) => c.html(<Page title="<Hono>" />));
app.get("/token", async (c) => c.text(await sign({ sub: "ada" }, SECRET, "HS256")));
app.get("/api/me", (c) => c.json(c.get("jwtPayload")));
app.get("/cookies", async (c) => {
  setCookie(c, "plain", "a b", { httpOnly: true, path: "/" });
  await setSignedCookie(c, "signed", "c", SECRET);
  return c.json([
    getCookie(c, "plain") ?? null,
    (await getSignedCookie(c, SECRET, "signed")) ?? null,
  ]);
});
app.get("/numbers", (c) =>
  stream(c, async (out) => {
    for (const number of ["1", "2", "3"]) {
      await out.write(number);
      await out.sleep(1);
    }
  }),
);
app.get("/events", (c) =>
  streamSSE(c, async (out) => {
    await out.writeSSE({ event: "tick", id: "1", data: "one" });
    await out.writeSSE({ event: "tick", id: "2", data: "two" });
  }),
);
app.get("/held", (c) =>
  streamText(c, async (out) => {
    await out.writeln("at once");
    await fetch(c.env.HELD_URL);
    await out.writeln("later");
  }),
);
app.post("/form", async (c) => {
  const { name, file } = await c.req.parseBody();
  return c.json({ name, file: [file.name, file.size, await file.text()] });
});
app.post(
  "/small",
  bodyLimit({ maxSize: 10, onError: (c) => c.text("too large", 413) }),
  validator("json", (value, c) => (typeof value.a === "number" ? value : c.text("no a", 422))),
  (c) => c.json(c.req.valid("json").a + 1),
);
app.get("/background", (c) => {
  c.executionCtx.waitUntil(Promise.resolve());
  return c.body(null, 204);
});
app.get(
  "/socket",
  upgradeWebSocket(() => ({ onMessage: ({ data }, socket) => socket.send(`heard ${data}`) })),
);
app.get("/teapot", () => {
  throw new HTTPException(418, { message: "short and stout" });
});
app.get("/broken", () => {
  throw new Error("broken");
});
app.notFound((c) => c.json({ missing: c.req.path }, 404));
app.onError((error, c) =>
  error instanceof HTTPException ? error.getResponse() : c.text(error.message, 500),
);

function Page({ title }) {
  return (
    <html>
      <body class="page">
        <h1>{title}</h1>
        {[1, 2].map((each) => (
          <li>{each}</li>
        ))}
      </body>
    </html>
  );
}

export default app;
