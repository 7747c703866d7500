/**
 * What the node's own units run, or a verb. Only what is asked for is loaded: a guard stays for good, and needs little.
 */
if (process.argv[2] === "gate") {
  const { keepGate } = await import("./gate/gate.ts");
  await keepGate();
} else if (process.argv[2] === "guard") {
  const { keepGuard } = await import("./guard/guard.ts");
  await keepGuard();
} else {
  const { readParameters } = await import("../aws/node.ts");
  const context = { readSecrets: readParameters };
  if (process.argv[2] === "handover") {
    const { handOver } = await import("./handover.ts");
    await handOver(context);
  } else {
    const { answerCommand } = await import("./command.ts");
    const result = await answerCommand(context);
    process.stdout.write(`${JSON.stringify(result)}\n`);
    process.exitCode = result.ok ? 0 : 1;
  }
}
