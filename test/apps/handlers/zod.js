// A sign-up form: parsing, transforms, refinements, coercion, unions, JSON Schema.
import { z } from "zod";

const SignUp = z
  .object({
    email: z.email().toLowerCase(),
    age: z.coerce.number().int().min(18),
    password: z.string().min(8),
    again: z.string(),
    born: z.iso
      .date()
      .transform((text) => new Date(text))
      .optional(),
    contact: z.discriminatedUnion("by", [
      z.object({ by: z.literal("phone"), number: z.string().regex(/^\+\d+$/u) }),
      z.object({ by: z.literal("post"), street: z.string() }),
    ]),
    tags: z.array(z.string()).default([]),
  })
  .refine(({ password, again }) => password === again, { path: ["again"], error: "not the same" });

const Taken = z.string().refine(async (name) => {
  await new Promise((resolve) => setTimeout(resolve, 1));
  return name !== "ada";
}, "taken");

export default {
  async fetch(request) {
    if (request.url.endsWith("/schema")) {
      return Response.json(
        z.toJSONSchema(z.object({ a: z.number().positive(), b: z.enum(["x", "y"]) })),
      );
    }
    if (request.url.endsWith("/taken")) {
      return Response.json((await Taken.safeParseAsync(await request.text())).success);
    }
    const { success, data, error } = SignUp.safeParse(await request.json());
    return success
      ? Response.json(data)
      : Response.json(z.flattenError(error).fieldErrors, { status: 422 });
  },
};
