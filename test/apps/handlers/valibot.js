// An order: pipes, strict objects, variants, checks over several fields.
import * as v from "valibot";

const Order = v.pipe(
  v.strictObject({
    id: v.pipe(v.string(), v.uuid()),
    quantity: v.pipe(v.unknown(), v.transform(Number), v.integer(), v.minValue(1)),
    ship: v.variant("kind", [
      v.object({ kind: v.literal("air") }),
      v.object({ kind: v.literal("sea"), port: v.pipe(v.string(), v.nonEmpty("port?")) }),
    ]),
    placed: v.optional(v.pipe(v.string(), v.isoTimestamp()), "2026-01-01T00:00:00Z"),
  }),
  v.check(({ quantity, ship }) => ship.kind === "sea" || quantity < 10, "too heavy to fly"),
);

export default {
  async fetch(request) {
    const { success, output, issues } = await v.safeParseAsync(Order, await request.json());
    return success ? Response.json(output) : Response.json(v.flatten(issues), { status: 422 });
  },
};
