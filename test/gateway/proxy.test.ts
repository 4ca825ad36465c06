import { proxySuite, proxyTransports } from "./proxy.suite.ts";

proxySuite("uws");
proxySuite("node");
proxyTransports();
