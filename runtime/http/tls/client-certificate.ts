// Whom a connection's client certificate names. Only one that the configured authority vouches for is anybody's.

import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import type { X509Certificate } from "node:crypto";
import type { ClientCertificate } from "../../../sdk/exchange.ts";

/** "DNS:a, URI:spiffe://b"; a value with a comma or a quote in it stands as JSON. */
const NAMES = /(?:^|, )(DNS|URI|email|IP Address):("(?:[^"\\]|\\.)*"|[^,]*)/g;

/** By connection: requests on it ask again and again. */
const known = new WeakMap<Socket, ClientCertificate | null>();

export function clientCertificateOf(socket: Socket): ClientCertificate | null {
  const before = known.get(socket);
  if (before !== undefined) return before;
  const certificate = socket instanceof TLSSocket && socket.authorized ? read(socket) : null;
  known.set(socket, certificate);
  return certificate;
}

function read(socket: TLSSocket): ClientCertificate | null {
  const certificate = socket.getPeerX509Certificate();
  return certificate === undefined ? null : describe(certificate);
}

function describe(certificate: X509Certificate): ClientCertificate {
  const { subject, subjectAltName = "", fingerprint256 } = certificate;
  const names = [...subjectAltName.matchAll(NAMES)].map(([, kind = "", value = ""]) => {
    const text: unknown = value.startsWith('"') ? JSON.parse(value) : value;
    return `${kind === "IP Address" ? "IP" : kind}:${String(text)}`;
  });
  const lines = subject.split("\n").filter((line) => line !== "");
  return {
    subject: lines.toReversed().join(","),
    commonName: lines.find((line) => line.startsWith("CN="))?.slice(3) ?? "",
    names,
    fingerprint: fingerprint256.replaceAll(":", "").toLowerCase(),
  };
}
