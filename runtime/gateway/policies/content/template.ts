// Texts of policies that are filled in for each request: {request.id}, {request.ip}, {request.host}, {request.path},
// {request.method}, {jwt.CLAIM} and {param.NAME}. What is not there is nothing.

import type { Pass } from "../../pass.ts";

export type Text = (pass: Pass) => string;

const TEMPLATE = /\{(request\.(?:id|ip|host|path|method)|(?:jwt|param)\.[\w-]+)\}/;

export function compileText(text: string): Text {
  // Texts and names in turns.
  const parts = text.split(TEMPLATE);
  if (parts.length === 1) return () => text;
  return (pass) =>
    parts.map((part, index) => (index % 2 === 0 ? part : valueOf(pass, part))).join("");
}

function valueOf({ exchange, address, claims, params }: Pass, name: string): string {
  const dot = name.indexOf(".");
  const key = name.slice(dot + 1);
  if (name.startsWith("param.")) return params[key] ?? "";
  if (name.startsWith("jwt.")) {
    const claim = claims !== null && Object.hasOwn(claims, key) ? claims[key] : "";
    return typeof claim === "string" ? claim : JSON.stringify(claim);
  }
  switch (key) {
    case "id":
      return exchange.requestId;
    case "ip":
      return address;
    case "host":
      return exchange.host;
    case "path":
      return exchange.path;
    default:
      return exchange.method;
  }
}
