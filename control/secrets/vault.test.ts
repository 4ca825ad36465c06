import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openKey } from "./key.ts";
import { createVault, parseKey } from "./vault.ts";

const KEY = Buffer.alloc(32, 1);
const PLACE = { endpoint: "hello", name: "KEY" };

describe("vault", () => {
  const vault = createVault(KEY);

  test.each(["", "s3cret", "päss\u{1f511}\n", "x".repeat(70_000)])(
    "opens what it sealed",
    (text) => {
      const sealed = vault.seal(text, PLACE);
      if (text !== "") expect(sealed).not.toContain(text);
      expect(vault.unseal(sealed, PLACE)).toBe(text);
    },
  );

  test("seals the same text differently each time", () => {
    expect(vault.seal("a", PLACE)).not.toBe(vault.seal("a", PLACE));
  });

  test.each([
    ["of another key", createVault(Buffer.alloc(32, 2)).seal("a", PLACE)],
    ["of another endpoint", vault.seal("a", { ...PLACE, endpoint: "other" })],
    ["of the node", vault.seal("a", { ...PLACE, endpoint: null })],
    ["of a service", vault.seal("a", { service: "hello", field: "KEY" })],
    ["that was changed", `${vault.seal("a", PLACE).slice(0, -3)}AAA`],
    ["that was cut", vault.seal("a", PLACE).slice(0, 30)],
    ["that is nothing", ""],
    ["that was never sealed", "s3cret"],
  ])("refuses a text %s with SECRET_UNREADABLE, and does not show it", (_what, sealed) => {
    expect(() => vault.unseal(sealed, PLACE)).toThrow(
      expect.objectContaining({
        code: "SECRET_UNREADABLE",
        message: "Secret KEY of hello cannot be opened with this node's key",
      }),
    );
  });
});

describe("key", () => {
  let data = "";
  beforeEach(() => {
    data = mkdtempSync(join(tmpdir(), "islet-key-"));
  });
  afterEach(() => rmSync(data, { recursive: true }));

  test.each([
    KEY.toString("hex"),
    KEY.toString("base64"),
    KEY.toString("base64url"),
    `${KEY.toString("base64")}\n`,
  ])("is 32 bytes as hex or base64: %j", (text) => {
    expect(parseKey(text, "x")).toEqual(KEY);
    expect(openKey({ data, key: text, isNeeded: true })).toEqual(KEY);
  });

  test.each(["", "short", "z".repeat(64), "a".repeat(63), `${"A".repeat(43)}==`])(
    "is refused with SECRET_KEY_INVALID and not shown: %j",
    (text) => {
      const refused = {
        code: "SECRET_KEY_INVALID",
        message: "What FILE holds is no key of 32 bytes",
      };
      expect(() => parseKey(text, "FILE")).toThrow(expect.objectContaining(refused));
    },
  );

  test("is made at first start for its owner's eyes, and kept", () => {
    const made = openKey({ data, isNeeded: false });
    const file = join(data, "secret-key");
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(parseKey(readFileSync(file, "utf8"), file)).toEqual(made);
    expect(openKey({ data, isNeeded: true })).toEqual(made);
  });

  test("is not made anew where something is sealed with it", () => {
    const opening = (): Buffer => openKey({ data, isNeeded: true });
    const message = `There is no ${join(data, "secret-key")}, and secrets are sealed already`;
    expect(opening).toThrow(expect.objectContaining({ code: "SECRET_KEY_INVALID", message }));
  });

  test("is read from the file that is named, which has to be there", () => {
    const keyFile = join(data, "other");
    const opening = (): Buffer => openKey({ data, keyFile, isNeeded: false });
    expect(opening).toThrow(expect.objectContaining({ code: "SECRET_KEY_INVALID" }));
    writeFileSync(keyFile, KEY.toString("hex"));
    expect(opening()).toEqual(KEY);
  });
});
