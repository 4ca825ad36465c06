// Parameters, middleware on both sides, CORS, errors with a status, a router within a router.
import { AutoRouter, IttyRouter, cors, error, html, status, withContent } from "itty-router";

const { preflight, corsify } = cors({ origin: ["https://example.com"], maxAge: 60 });

const notes = new Map();
const nested = IttyRouter({ base: "/itty-router/notes" });
nested
  .get("/:id", ({ id }) => notes.get(id) ?? error(404, `no note ${id}`))
  .put("/:id", withContent, ({ id, content }) => {
    notes.set(id, content);
    return status(201);
  });

const shared = AutoRouter({
  base: "/itty-router/shared",
  before: [preflight],
  finally: [corsify],
});
shared.get("/page", () => html("<h1>itty</h1>"));

const router = AutoRouter({ base: "/itty-router" });
router
  .get("/", () => ({ routers: "small" }))
  .get("/query", ({ query }) => query)
  .get("/files/:path+", ({ path }) => ({ path }))
  .get("/optional/:format?", ({ format }) => ({ format: format ?? "none" }))
  .get("/secret", () => error(403, { reason: "secret" }))
  .get("/broken", () => JSON.parse("{"))
  .all("/notes/*", nested.fetch)
  .all("/shared/*", shared.fetch);

export default { ...router };
