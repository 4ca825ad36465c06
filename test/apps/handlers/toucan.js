// Reports an exception to the server named in its DSN, with breadcrumbs, user and what of the request is allowed.
import { Toucan } from "toucan-js";

export default {
  async fetch(request, { SENTRY_DSN }, context) {
    const sentry = new Toucan({
      dsn: SENTRY_DSN,
      context,
      request,
      release: "1.0.0",
      requestDataOptions: { allowedHeaders: ["user-agent"], allowedSearchParams: /.*/u },
    });
    sentry.setUser({ id: "7" });
    sentry.setTag("part", "orders");
    sentry.addBreadcrumb({ message: "looked at the cart" });
    try {
      throw new TypeError("no such order");
    } catch (error) {
      return new Response(sentry.captureException(error), { status: 500 });
    }
  },
};
