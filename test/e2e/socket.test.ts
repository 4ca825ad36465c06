import { describeSockets } from "./socket.suite.ts";

describeSockets("uws", ["--listener", "uws"]);
describeSockets("node", ["--listener", "node"]);
describeSockets("in a cordon", [], "dedicated");
