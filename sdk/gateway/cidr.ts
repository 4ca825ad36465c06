// Networks as people write them: an address, or an address and the length of its prefix. IPv4 addresses that are
// written as IPv6 (::ffff:1.2.3.4) belong to the networks of their IPv4 form.

const IPV4 = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/;
/** The first 96 bits of an IPv4 address in IPv6 form. */
const MAPPED = 0xffffn << 32n;

interface Network {
  readonly base: bigint;
  /** Bits that do not count. */
  readonly shift: bigint;
}

/** Whether an address lies in one of the networks. */
export type NetworkTest = (address: string) => boolean;

export function isCidr(text: string): boolean {
  return parseNetwork(text) !== null;
}

/** All of `networks` are valid. An address that is none lies in no network. */
export function createNetworkTest(networks: readonly string[]): NetworkTest {
  const all = networks.flatMap((text) => parseNetwork(text) ?? []);
  if (all.length === 0) return () => false;
  return (address) => {
    const bits = addressBits(address);
    return bits !== null && all.some(({ base, shift }) => bits >> shift === base);
  };
}

function parseNetwork(text: string): Network | null {
  const [address = "", length, ...rest] = text.split("/");
  const bits = addressBits(address);
  if (bits === null || rest.length > 0) return null;
  const width = IPV4.test(address) ? 32 : 128;
  if (length !== undefined && (!/^\d{1,3}$/.test(length) || Number(length) > width)) return null;
  const shift = BigInt(width - Number(length ?? width));
  return { base: bits >> shift, shift };
}

/** As IPv6, 128 bits; null: no address. */
export function addressBits(text: string): bigint | null {
  const four = IPV4.exec(text);
  if (four !== null) {
    const bytes = four.slice(1).map(Number);
    if (bytes.some((byte) => byte > 255)) return null;
    return MAPPED | bytes.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
  }
  return ipv6Bits(text);
}

function ipv6Bits(text: string): bigint | null {
  const dotted = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text);
  if (dotted !== null) {
    const four = addressBits(dotted[2] ?? "");
    if (four === null) return null;
    const low = four & 0xffffffffn;
    return ipv6Bits(`${dotted[1]}${(low >> 16n).toString(16)}:${(low & 0xffffn).toString(16)}`);
  }
  const halves = text.split("::");
  if (halves.length > 2) return null;
  const [head, tail] = halves.map((half) => (half === "" ? [] : half.split(":")));
  if (head === undefined) return null;
  const groups =
    tail === undefined
      ? head
      : [...head, ...Array.from({ length: 8 - head.length - tail.length }, () => "0"), ...tail];
  if (groups.length !== 8 || (tail !== undefined && head.length + tail.length > 7)) return null;
  let bits = 0n;
  for (const group of groups) {
    if (!/^[0-9a-f]{1,4}$/i.test(group)) return null;
    bits = (bits << 16n) | BigInt(`0x${group}`);
  }
  return bits;
}
