import { Hono } from "hono";

const BOOKS = [
  { id: 1, title: "The Left Hand of Darkness" },
  { id: 2, title: "A Wizard of Earthsea" },
];

const app = new Hono();

app.use(async (context, next) => {
  await next();
  context.header("cache-control", "max-age=60");
});
app.get("/books", (context) => context.json(BOOKS));
app.get("/books/:id", (context) => {
  const book = BOOKS.find(({ id }) => String(id) === context.req.param("id"));
  return book === undefined ? context.json({ error: "no such book" }, 404) : context.json(book);
});

export default app;
