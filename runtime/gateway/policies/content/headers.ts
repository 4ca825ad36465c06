// Sets, adds and removes headers of requests and of replies. In that order for one name: removed, set, added.

import type { HeaderList } from "../../../../sdk/exchange.ts";
import type { HeaderChange } from "../../../../sdk/gateway/policies.ts";
import { withoutHeaders } from "../../../../sdk/gateway/header-list.ts";
import type { Policy } from "../../chain.ts";
import type { Pass } from "../../pass.ts";
import { compileText } from "./template.ts";

/** What a header's value may hold; the rest of what a template is filled with is left out. */
const NOT_A_VALUE = /[^\t -~]/g;

export function createHeaders({
  request,
  response,
}: {
  readonly request: HeaderChange;
  readonly response: HeaderChange;
}): Policy {
  const onRequest = compileChange(request);
  const onReply = compileChange(response);
  return {
    ...(onRequest !== null && {
      onRequest: (pass: Pass) => {
        pass.headers = onRequest(pass, pass.headers);
        return true;
      },
    }),
    ...(onReply !== null && {
      onReply: (pass, head) => {
        head.headers = onReply(pass, head.headers);
      },
    }),
  };
}

function compileChange({
  set,
  add,
  remove,
}: HeaderChange): ((pass: Pass, list: HeaderList) => HeaderList) | null {
  const gone = new Set([...remove, ...set.map(([name]) => name)]);
  const added = [...set, ...add].map(([name, text]) => [name, compileText(text)] as const);
  if (gone.size === 0 && added.length === 0) return null;
  return (pass, list) => {
    let changed = withoutHeaders(list, gone);
    for (const [name, text] of added)
      changed += `${name}\n${text(pass).replaceAll(NOT_A_VALUE, "")}\n`;
    return changed;
  };
}
