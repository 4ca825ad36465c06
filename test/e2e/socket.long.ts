import { describeSockets } from "./socket.suite.ts";

describeSockets("node", ["--listener", "node"]);
