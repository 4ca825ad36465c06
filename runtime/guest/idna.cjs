// UTS #46 for the rare host that is not plain ASCII. CommonJS on purpose: a `require` inside a function is the
// one lazy import that the bundler and Node agree on. tr46's tables are 1.2 MB of objects once evaluated; every
// isolate would pay for them with each thaw, so they stay source text until a host needs them.

exports.toAscii = (domain) =>
  require("tr46").toASCII(domain, { checkBidi: true, checkJoiners: true });
