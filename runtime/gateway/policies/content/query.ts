// Sets, adds and removes parameters of the query, as those behind see it. What is not named goes on as it was written.

import type { QueryPolicy } from "../../../../sdk/gateway/policies.ts";
import type { Policy } from "../../chain.ts";
import { compileText } from "./template.ts";

export function createQuery({ set, add, remove }: QueryPolicy): Policy {
  const gone = new Set([...remove, ...set.map(([name]) => name)]);
  const added = [...set, ...add].map(
    ([name, text]) => [encodeURIComponent(name), compileText(text)] as const,
  );
  if (gone.size === 0 && added.length === 0) return {};
  return {
    onRequest(pass) {
      const { url } = pass;
      const question = url.indexOf("?");
      const path = question < 0 ? url : url.slice(0, question);
      const parts = question < 0 ? [] : url.slice(question + 1).split("&");
      const kept = parts.filter((part) => part !== "" && !gone.has(nameOf(part)));
      for (const [name, text] of added) {
        kept.push(`${name}=${encodeURIComponent(text(pass).toWellFormed())}`);
      }
      pass.url = kept.length === 0 ? path : `${path}?${kept.join("&")}`;
      return true;
    },
  };
}

/** As whoever stands behind reads it. */
function nameOf(part: string): string {
  const [[name = ""] = []] = new URLSearchParams(part);
  return name;
}
