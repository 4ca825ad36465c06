interface Env {
  readonly MAIL: {
    send(mail: Readonly<Record<string, unknown>>): Promise<{ readonly messageId: string }>;
  };
}

interface Order {
  readonly email?: unknown;
  readonly name?: unknown;
  readonly items?: unknown;
}

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    const { email, name, items } = ((await request.json()) ?? {}) as Order;
    if (typeof email !== "string" || typeof name !== "string" || !Array.isArray(items)) {
      return Response.json({ error: "send email, name and items" }, { status: 400 });
    }
    const lines = items.map(String);
    try {
      const { messageId } = await env.MAIL.send({
        from: { email: "shop@example.com", name: "The Shop" },
        to: { email, name },
        subject: `Your order, ${name}`,
        text: `Thank you. You have ordered:\n\n${lines.map((line) => `- ${line}`).join("\n")}\n`,
        html: `<h1>Thank you</h1><ul>${lines.map((line) => `<li>${escape(line)}</li>`).join("")}</ul>`,
        attachments: [
          {
            filename: "order.csv",
            type: "text/csv",
            content: new TextEncoder().encode(lines.join("\n")),
          },
        ],
      });
      return Response.json({ messageId }, { status: 202 });
    } catch (error) {
      // An address that is none, or a name with a line break: the mail was not sent.
      const { code, message } = error as { readonly code?: string; readonly message: string };
      return Response.json({ error: message }, { status: code === "SERVICE_INPUT" ? 400 : 503 });
    }
  },
};

/** What comes from outside must not become markup. */
function escape(text: string): string {
  return text.replace(/[&<>"]/g, (char) => `&#${char.charCodeAt(0)};`);
}
