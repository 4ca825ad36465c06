// Which replies are compressed, and how.

import { z } from "zod";
import { ENCODINGS, type PolicyConfig } from "../../../sdk/gateway/policies.ts";
import { list, oneOf, size, text } from "../fields.ts";

const TYPE = "a media type such as text/html, text/* or *+json";
const type = text(TYPE, /^(?:[\w.-]+\/(?:[\w.+-]+|\*)|\*\+[\w.-]+)$/).transform((value) =>
  value.toLowerCase(),
);

/** What gains from it; images, films and archives are compressed already. */
const TYPES: readonly string[] = [
  "text/*",
  "*+json",
  "*+xml",
  "application/json",
  "application/javascript",
  "application/xml",
  "application/x-ndjson",
  "application/wasm",
  "application/manifest+json",
  "image/svg+xml",
  "font/ttf",
  "font/otf",
];

const ENCODING_LIST = `encodings, of ${ENCODINGS.join(", ")}`;

export const compression: z.ZodType<PolicyConfig, unknown> = z
  .strictObject({
    encodings: list(oneOf(ENCODINGS), ENCODING_LIST, ENCODINGS.length)
      .refine((all) => all.length > 0, { error: `a list of ${ENCODING_LIST}` })
      .default([...ENCODINGS]),
    minSize: size().default(1_024),
    types: list(type, "media types", 100).default([...TYPES]),
  })
  .transform(({ minSize, ...fields }): PolicyConfig => ({
    kind: "compression",
    ...fields,
    bytesMin: minSize,
  }));
