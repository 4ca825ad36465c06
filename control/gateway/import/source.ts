// What the files of other gateways have in common.

import { z } from "zod";
import { text } from "../fields.ts";
import type { Path, Place } from "../yaml.ts";
import type { Notes } from "./draft.ts";

export const PORT_MAX = 65_535;
/** RFC 7518, section 3.2. */
const SECRET_BYTES_MIN = 32;

export interface Source {
  readonly place: (path: Path, key?: boolean) => Place;
}

/** Nothing in it may be a pattern here. */
export const prefixField: z.ZodType<string, string> = text(
  "a path that begins with /, without { } : * ? #",
  /^\/[!"$-)+-9;->@-z|~]*$/,
);

export const secretField: z.ZodType<string, string> = z.string({ error: "a text" });

/** The variable takes the place of a secret, which no file should hold. */
export function jwtPolicy(secret: string | undefined, notes: Notes): string {
  const note =
    secret === undefined
      ? "tokens are verified with the variable JWT_SECRET: the file has no secret"
      : "the secret is not copied: set the variable JWT_SECRET" +
        (Buffer.byteLength(secret) < SECRET_BYTES_MIN
          ? `, and to a longer one: HS256 needs ${SECRET_BYTES_MIN} bytes`
          : "");
  if (!notes.all.some(({ text: one }) => one === note)) notes.add(note);
  return 'jwt: { algorithms: [HS256], secret: "${JWT_SECRET}" }';
}
