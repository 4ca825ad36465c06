// Preloaded into a process of the node: isolated-vm says that it is a release with a known way out.

const Module = require("node:module");

const load = Module._load;
Module._load = function (request, ...rest) {
  if (request === "isolated-vm/package.json") return { version: "7.0.0" };
  return load.call(this, request, ...rest);
};
