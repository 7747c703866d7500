/** A control plane of nothing but functions, to be killed: prints the pid of a function's process and waits. */
import { join } from "node:path";
import { Identities } from "../../../../local/endpoints/identities.ts";
import { LambdaService } from "../../../../local/lambda/service.ts";
import { Traces } from "../../../../local/lambda/traces.ts";
import { Documents } from "../../../../local/state/documents.ts";
import { LogFile } from "../../../../local/state/log-file.ts";
import { account, region } from "./endpoints.ts";

const [configuration = "", logDirectory = ""] = process.argv.slice(2);
const service = new LambdaService({
  documents: new Documents(":memory:"),
  identities: new Identities({ key: Buffer.alloc(32, 7), account }),
  region,
  account,
  node: process.execPath,
  runtimeModules: "",
  logDirectory,
  endpointEnvironment: () => ({}),
  traces: await Traces.open(new LogFile(join(logDirectory, "traces.jsonl"))),
});
const parsed = JSON.parse(configuration) as Parameters<LambdaService["createFunction"]>[0];
service.createFunction(parsed);
const answer = await service.invoke({ reference: parsed.functionName, payload: "{}" });
process.stdout.write(`${answer.payload ?? ""}\n`);
setInterval(() => undefined, 60_000);
