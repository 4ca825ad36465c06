// A bad neighbour. What it does to others is measured, not what it answers.
export default {
  fetch(request: Request): Response {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname.endsWith("/burn")) {
      const loops = Number(searchParams.get("loops") ?? Infinity);
      for (let at = 0; at < loops; at++) continue;
    }
    // A builtin that no time-out stops.
    if (pathname.endsWith("/stuck")) Array.prototype.indexOf.call({ length: 2 ** 53 - 1 }, 1);
    return new Response("well");
  },
};
