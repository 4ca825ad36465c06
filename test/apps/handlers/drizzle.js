// The D1 driver: schema, inserts that return, joins, aggregates, batches, relational queries, errors.
import { count, desc, eq, relations, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { integer, real, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core";

const authors = sqliteTable(
  "authors",
  {
    id: integer().primaryKey({ autoIncrement: true }),
    name: text().notNull(),
    born: integer({ mode: "timestamp" }),
    tags: text({ mode: "json" }).$type().notNull(),
    alive: integer({ mode: "boolean" }).notNull().default(true),
  },
  (table) => [uniqueIndex("authors_name").on(table.name)],
);
const books = sqliteTable("books", {
  id: integer().primaryKey(),
  author: integer()
    .notNull()
    .references(() => authors.id),
  title: text().notNull(),
  price: real().notNull(),
});
const schema = {
  authors,
  books,
  written: relations(authors, ({ many }) => ({ books: many(books) })),
  writer: relations(books, ({ one }) => ({
    by: one(authors, { fields: [books.author], references: [authors.id] }),
  })),
};

const cases = {
  async setup(db) {
    await db.run(sql`drop table if exists books`);
    await db.run(sql`drop table if exists authors`);
    await db.run(sql`create table authors (id integer primary key autoincrement, name text not null,
      born integer, tags text not null, alive integer not null default 1)`);
    await db.run(sql`create unique index authors_name on authors (name)`);
    await db.run(
      sql`create table books (id integer primary key, author integer not null, title text not null, price real not null)`,
    );
    const [ada] = await db
      .insert(authors)
      .values({ name: "Ada", born: new Date("1815-12-10"), tags: ["notes"], alive: false })
      .returning();
    const batch = await db.batch([
      db.insert(books).values([
        { author: ada.id, title: "Sketch", price: 1.5 },
        { author: ada.id, title: "Notes", price: 2.5 },
      ]),
      db.select({ titles: count() }).from(books),
    ]);
    return [ada, batch[1]];
  },
  joined: (db) =>
    db
      .select({ title: books.title, by: authors.name })
      .from(books)
      .innerJoin(authors, eq(books.author, authors.id))
      .orderBy(desc(books.price)),
  related: (db) =>
    db.query.authors.findFirst({
      columns: { name: true },
      with: { books: { columns: { title: true } } },
    }),
  async change(db) {
    const changed = await db
      .update(books)
      .set({ price: sql`${books.price} * 2` })
      .where(eq(books.title, "Notes"))
      .returning({ price: books.price });
    const { meta } = await db.delete(books).where(eq(books.title, "Sketch"));
    return [changed, meta.changes, await db.$count(books)];
  },
  async upsert(db) {
    return db
      .insert(authors)
      .values({ name: "Ada", tags: ["engine"] })
      .onConflictDoUpdate({ target: authors.name, set: { tags: ["engine"] } })
      .returning({ tags: authors.tags, born: authors.born });
  },
  unique: (db) =>
    db
      .insert(authors)
      .values({ name: "Ada", tags: [] })
      .then(
        () => "inserted",
        (error) => String(error.cause?.message).includes("UNIQUE"),
      ),
};

export default {
  async fetch({ url }, { DB }) {
    return Response.json(await cases[url.split("/").pop()](drizzle(DB, { schema })));
  },
};
