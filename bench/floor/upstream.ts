// What stands behind the proxies that are compared: uWebSockets.js alone, answering bodies of the length that the path
// names, with a counter in front.
//
// Argument: port.

import { loadUws } from "../../runtime/http/uws.ts";

const [, , port = "0"] = process.argv;
const bodies = new Map<string, string>();
let count = 0;

loadUws()
  .App()
  .any("/*", (res, req) => {
    const path = req.getUrl();
    let rest = bodies.get(path);
    if (rest === undefined) {
      const length = Number(path.slice(1));
      if (!(length > 0)) {
        res.writeStatus("404 Not Found").end();
        return;
      }
      rest = "x".repeat(length);
      bodies.set(path, rest);
    }
    count += 1;
    const counter = `${count} `;
    res.writeHeader("content-type", "text/plain;charset=UTF-8");
    res.end(counter + rest.slice(counter.length));
  })
  .listen("127.0.0.1", Number(port), (socket) => {
    if (socket === false) throw new Error(`port ${port} is in use`);
  });
