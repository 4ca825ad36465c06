import { listenNode } from "../../runtime/http/node-listener.ts";
import { listenUws } from "../../runtime/http/uws-listener.ts";
import { HEADER_BYTES_MAX } from "../../sdk/limits.ts";
import { listenerSuite } from "./listener.suite.ts";

// Read by uWebSockets.js when it is loaded, which the first listen does.
process.env["UWS_HTTP_MAX_HEADERS_SIZE"] = String(HEADER_BYTES_MAX);

listenerSuite({
  name: "uws",
  listen: listenUws,
  skips: [
    {
      reason: "uWS closes a connection with two open requests",
      tests: ["requests sent at once are answered in order when the replies come later"],
    },
    {
      reason: "uWS answers 505 to what is not HTTP/1.1 in origin-form",
      tests: ["HTTP/1.0 is answered", "absolute-form gives its host and path"],
    },
    {
      reason: "uWS answers what its parser refuses with HTML",
      tests: [
        "headers above the limit are a problem with a request id",
        "what the parser refuses is a problem with a request id",
      ],
    },
    {
      reason: "uWS shows no field with an empty name, nor those behind it",
      tests: [
        "an empty header name is 400 and ends the connection",
        "an empty header name ends the connection before what is sent right behind it",
      ],
    },
    {
      reason: "uWS sends the head of a streamed reply with its first chunk",
      tests: ["the head of a streamed reply goes out before its first chunk"],
    },
  ],
});

listenerSuite({
  name: "node",
  listen: listenNode,
  skips: [
    {
      reason: "node's parser refuses bytes beyond ASCII in the address",
      tests: ["bytes beyond ASCII in the address arrive percent-encoded"],
    },
  ],
});
