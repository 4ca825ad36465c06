import { EdgeError } from "../../sdk/errors.ts";
import type { Command } from "../command.ts";
import { readServeOptions, serve } from "./serve.ts";

const FLAGS = ["--port", "--host", "--admin-port", "--admin-host", "--data", "--user"];

export const doctor: Command = {
  name: "doctor",
  summary: "look for what keeps a node from running on this machine",
  options: serve.options.filter(({ flags }) => FLAGS.includes(flags.split(" ")[0] ?? "")),
  examples: ["edge doctor", "edge doctor --port 8080 --data /var/lib/edge --json"],
  run: async ({ values, cwd }) => {
    const options = readServeOptions(values, cwd);
    const probes = await import("../../runtime/supervisor/doctor.ts");
    const report = await probes.doctor(options);
    const text = probes.reportText(report);
    const data = probes.reportJson(report);
    const wrong = report.checks.find((check) => check.status === "error");
    if (wrong === undefined) return { data, text };
    const message = `${text}\n\n${wrong.name}: ${wrong.found}`;
    throw new EdgeError(wrong.code ?? "INSTALL_BROKEN", message, { detail: { report: data } });
  },
};
