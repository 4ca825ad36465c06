// Queries, mutations, input checked by zod, batches, errors, an async generator as a stream.
import { initTRPC, TRPCError } from "@trpc/server";
import { fetchRequestHandler } from "@trpc/server/adapters/fetch";
import { z } from "zod";

const t = initTRPC.context().create();
const signedIn = t.procedure.use(({ ctx, next }) => {
  if (ctx.user === null) throw new TRPCError({ code: "UNAUTHORIZED" });
  return next();
});

const router = t.router({
  greet: t.procedure
    .input(z.object({ name: z.string() }))
    .query(({ input }) => `Hello, ${input.name}`),
  add: t.procedure.input(z.tuple([z.number(), z.number()])).mutation(({ input: [a, b] }) => a + b),
  me: signedIn.query(({ ctx }) => ctx.user),
  held: t.procedure.query(async ({ ctx }) => (await fetch(ctx.heldUrl)).json()),
  follow: t.procedure.subscription(async function* follow({ ctx }) {
    yield "at once";
    yield await (await fetch(ctx.heldUrl)).json();
  }),
  count: t.procedure.subscription(async function* count() {
    yield 1;
    await new Promise((resolve) => setTimeout(resolve, 1));
    yield 2;
  }),
});

export default {
  fetch: (req, env) =>
    fetchRequestHandler({
      endpoint: "/trpc",
      req,
      router,
      createContext: () => ({ user: req.headers.get("x-user"), heldUrl: env.HELD_URL }),
    }),
};
