// Hosts that an endpoint names because they are private and it wants to reach them: "HOST" for every port, or
// "HOST:PORT". Where the operator allows such a thing, a connection to what is named may be private; every other
// may not.

/** More than a handler talks to; the guard looks at each new connection. */
export const EGRESS_HOSTS_MAX = 32;

const FORM = /^(\[[0-9A-Fa-f:.]+\]|[^\s:/?#@*[\]\\]+)(?::([0-9]{1,5}))?$/;
const PORT_MAX = 65_535;

/** As connections name it: lower case, punycode, addresses in their one notation. null: not of this form. */
export function parseEgressHost(text: string): string | null {
  const [, name = "", port] = FORM.exec(text) ?? [];
  const url = URL.parse(`http://${name}/`);
  if (name === "" || url === null || url.hostname === "") return null;
  if (port === undefined) return url.hostname;
  const number = Number(port);
  return number >= 1 && number <= PORT_MAX ? `${url.hostname}:${number}` : null;
}

/** `hosts` as parseEgressHost gives them; `host` as URLs have it. */
export function namesHost(hosts: ReadonlySet<string>, host: string, port: number): boolean {
  return hosts.has(host) || hosts.has(`${host}:${port}`);
}
