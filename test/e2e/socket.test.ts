import { describeSockets } from "./socket.suite.ts";

describeSockets("uws", ["--listener", "uws"]);
describeSockets("in a cordon", [], "dedicated");
