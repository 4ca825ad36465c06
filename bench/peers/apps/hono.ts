// 50 routes: 25 resources with a list and an item each, behind one middleware.
import { Hono } from "hono";

/** The bench puts a new one in for each publish, to see that what answers is what it published. */
const RELEASE = "release-0";
const RESOURCES = 25;

const app = new Hono();
let count = 0;

app.use(async (context, next) => {
  await next();
  context.header("x-release", RELEASE);
});
for (let index = 0; index < RESOURCES; index += 1) {
  const name = `resource-${index}`;
  app.get(`/api/v1/${name}`, (context) => context.json({ resource: name, count: ++count }));
  app.get(`/api/v1/${name}/:id`, (context) =>
    context.json({ resource: name, id: context.req.param("id"), release: RELEASE, count: ++count }),
  );
}

export default { fetch: (request: Request) => app.fetch(request) };
