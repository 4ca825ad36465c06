// Typed bodies, parameters, cookies, middleware, redirects, server-sent events, a sub-application.
import {
  H3,
  HTTPError,
  createEventStream,
  deleteCookie,
  getCookie,
  getQuery,
  getRouterParam,
  handleCors,
  html,
  readBody,
  redirect,
  setCookie,
  withBase,
} from "h3";

const app = new H3();
app.use((event) => {
  event.res.headers.set("x-h3", "2");
});
app
  .get("/", () => ({ hello: "h3" }))
  .get("/hello/:name", (event) => `Hello, ${getRouterParam(event, "name")}!`)
  .get("/query", (event) => getQuery(event))
  .post("/echo", async (event) => {
    event.res.status = 201;
    return { got: await readBody(event) };
  })
  .get("/page", () => html`<h1>${"<h3>"}</h1>`)
  .get("/away", () => redirect("/h3/", 302))
  .get("/cookies", (event) => {
    setCookie(event, "a", "1", { path: "/" });
    deleteCookie(event, "b");
    return getCookie(event, "b") ?? "none";
  })
  .get("/stream", () => new Response(new Blob(["from a ", "blob"]).stream()))
  .get("/events", (event) => {
    const events = createEventStream(event);
    void events
      .push("one")
      .then(() => events.push({ event: "two", data: "2" }))
      .then(() => events.close());
    return events.send();
  })
  .all("/cors", (event) => handleCors(event, { origin: "*", methods: ["GET"] }) || "shared")
  .get("/missing", () => {
    throw new HTTPError("not here", { status: 404 });
  });

const root = new H3().all("/h3/**", withBase("/h3", app));

export default { fetch: (request) => root.fetch(request) };
