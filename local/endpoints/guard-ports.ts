import { runProgram } from "../machines/program.ts";

/**
 * Closes ports of this machine to everyone but itself: for servers that cannot be told to listen on the loopback
 * interface only. The rules are a table of the environment's own, named after its bridge.
 */
export async function guardPorts(bridge: string, ports: readonly number[]): Promise<void> {
  const rules = [
    ...emptyTable(bridge),
    `table inet ${bridge} {`,
    "  chain input {",
    "    type filter hook input priority filter; policy accept;",
    `    iifname != "lo" tcp dport { ${ports.map(Number).join(", ")} } drop`,
    "  }",
    "}",
    "",
  ];
  await runProgram("nft", ["-f", "-"], { stdin: rules.join("\n") });
}

/** Part of destroying an environment; what is gone already is no error. */
export async function unguardPorts(bridge: string): Promise<void> {
  await runProgram("nft", ["-f", "-"], { stdin: [...emptyTable(bridge), ""].join("\n") });
}

function emptyTable(bridge: string): string[] {
  if (!/^[a-z][a-z0-9-]{0,14}$/.test(bridge)) throw new Error(`${bridge} cannot be a bridge's name`);
  // Adding first makes removing what is not there no error.
  return [`add table inet ${bridge}`, `delete table inet ${bridge}`];
}
