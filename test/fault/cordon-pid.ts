import type { TestNode } from "../node.ts";
import { until } from "../waiting.ts";

/** Of the process that serves a cordon ("endpoint:name", "group:name"), once it does. */
export async function cordonPid(node: TestNode, name: string): Promise<number> {
  let pid = 0;
  await until(`${name} serves`, async () => {
    const { data } = await node.api("GET", "/api/stats");
    const { workers } = data as { workers: { pid: number; cordon: string | null }[] };
    pid = workers.find(({ cordon }) => cordon === name)?.pid ?? 0;
    return pid !== 0;
  });
  return pid;
}
