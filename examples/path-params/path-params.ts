export default {
  fetch(request: Request): Response {
    const { pathname } = new URL(request.url);
    const [, collection, ...rest] = pathname.split("/").map(decodeURIComponent);
    if (collection === "users") return Response.json({ user: rest[0] });
    return Response.json({ file: rest });
  },
};
