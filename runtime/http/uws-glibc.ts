// Redirects the addon's C23 imports to the functions that every glibc has.
//
// The published binaries ask for GLIBC_2.38 because of three symbols only: __isoc23_strtol, __isoc23_strtoul
// and __isoc23_sscanf, the C23 twins of strtol, strtoul and sscanf. (The twins differ in reading "0b" binary
// prefixes, which the addon never parses.) In a copy of the file, each import's name is moved past the
// "__isoc23_" prefix, its version becomes the architecture's oldest glibc, and the need for GLIBC_2.38 is
// marked weak. Nothing is added or moved, so the file keeps its size and layout.
//
// Only files whose hash is known are touched, and what comes out has a known hash too.

import assert from "node:assert";

interface KnownAddon {
  /** SHA-256 of the file in the package. */
  readonly original: string;
  /** SHA-256 of the redirected copy. */
  readonly redirected: string;
  /** The version every libc.so.6 of this architecture has carried from the start. */
  readonly baseVersion: string;
}

/** By file name; the names carry platform, architecture and Node's ABI number. */
export const KNOWN_ADDONS: Readonly<Record<string, KnownAddon>> = {
  "uws_linux_x64_137.node": {
    original: "98128405dba2fb608448e921a979530f70c946a2cc9889c15f2fa70c2d00ab05",
    redirected: "337e7312c83b0df8accbe2446055c1e663ef14824712a055dfb8c34852cd8d69",
    baseVersion: "GLIBC_2.2.5",
  },
  "uws_linux_arm64_137.node": {
    original: "88618b30ddf6b2b62310db89f40a701616676352aac5e0f6184dd8ef876199ce",
    redirected: "c52f98e37763f821adfd7a24445de06c5941db0bb99b92fd2ac06d5f65cd50f8",
    baseVersion: "GLIBC_2.17",
  },
};

const PREFIX = "__isoc23_";
const NEEDED_VERSION = "GLIBC_2.38";
/** Types of section headers: dynamic symbols, their versions, the versions needed. */
const SHT_DYNSYM = 11;
const SHT_GNU_VERSYM = 0x6fffffff;
const SHT_GNU_VERNEED = 0x6ffffffe;
const VER_FLG_WEAK = 2;
const SYMBOL_BYTES = 24;

interface Section {
  readonly type: number;
  readonly offset: number;
  readonly size: number;
  readonly link: number;
  /** For the versions needed: how many libraries are listed. */
  readonly info: number;
}

/** Redirects in place. `file` is a 64-bit little-endian ELF file that KNOWN_ADDONS lists. */
export function redirectImports(file: Buffer, baseVersion: string): void {
  const sections = readSections(file);
  const symbols = sectionOf(sections, SHT_DYNSYM);
  const versions = sectionOf(sections, SHT_GNU_VERSYM);
  const names = sections[symbols.link];
  assert(names !== undefined, "the symbols name their strings");
  const needs = readNeeds(file, sectionOf(sections, SHT_GNU_VERNEED), names.offset);
  const base = needs.find((need) => need.library === "libc.so.6" && need.version === baseVersion);
  assert(base !== undefined, `the addon needs ${baseVersion}`);

  for (let i = 0; i < symbols.size / SYMBOL_BYTES; i++) {
    const at = symbols.offset + i * SYMBOL_BYTES;
    const name = file.readUInt32LE(at);
    if (!textAt(file, names.offset + name).startsWith(PREFIX)) continue;
    file.writeUInt32LE(name + PREFIX.length, at);
    file.writeUInt16LE(base.index, versions.offset + i * 2);
  }
  for (const need of needs) {
    if (need.version !== NEEDED_VERSION) continue;
    file.writeUInt16LE(file.readUInt16LE(need.at + 4) | VER_FLG_WEAK, need.at + 4);
  }
}

function readSections(file: Buffer): readonly Section[] {
  const table = Number(file.readBigUInt64LE(40));
  const entryBytes = file.readUInt16LE(58);
  const sections: Section[] = [];
  for (let i = 0; i < file.readUInt16LE(60); i++) {
    const at = table + i * entryBytes;
    sections.push({
      type: file.readUInt32LE(at + 4),
      offset: Number(file.readBigUInt64LE(at + 24)),
      size: Number(file.readBigUInt64LE(at + 32)),
      link: file.readUInt32LE(at + 40),
      info: file.readUInt32LE(at + 44),
    });
  }
  return sections;
}

function sectionOf(sections: readonly Section[], type: number): Section {
  const found = sections.find((section) => section.type === type);
  assert(found !== undefined, `the addon has a section of type ${type}`);
  return found;
}

interface Need {
  readonly at: number;
  readonly library: string;
  readonly version: string;
  /** What the symbols' version entries refer to. */
  readonly index: number;
}

function readNeeds(file: Buffer, section: Section, names: number): readonly Need[] {
  const needs: Need[] = [];
  let at = section.offset;
  for (let i = 0; i < section.info; i++) {
    const library = textAt(file, names + file.readUInt32LE(at + 4));
    let entry = at + file.readUInt32LE(at + 8);
    for (let left = file.readUInt16LE(at + 2); left > 0; left--) {
      const version = textAt(file, names + file.readUInt32LE(entry + 8));
      needs.push({ at: entry, library, version, index: file.readUInt16LE(entry + 6) });
      entry += file.readUInt32LE(entry + 12);
    }
    at += file.readUInt32LE(at + 12);
  }
  return needs;
}

function textAt(file: Buffer, at: number): string {
  return file.toString("latin1", at, file.indexOf(0, at));
}
