import type { NodeContext } from "./context.ts";

/**
 * What the node's own units run, or a verb. Only what is asked for is loaded: a guard stays for good, and needs little.
 */
async function main(): Promise<void> {
  if (process.argv[2] === "gate") {
    const { keepGate } = await import("./gate/gate.ts");
    await keepGate();
  } else if (process.argv[2] === "guard") {
    const { keepGuard } = await import("./guard/guard.ts");
    await keepGuard();
  } else if (process.argv[2] === "drill") {
    const { runChecks } = await import("./drill/unit.ts");
    await runChecks(process.argv[3]);
  } else {
    const { readParameters } = await import("../aws/node.ts");
    const openObjects: NodeContext["openObjects"] = async (place) => {
      const { NodeObjects } = await import("../aws/node-objects.ts");
      const { readStoreKeys } = await import("./store-keys.ts");
      return new NodeObjects(place, await readStoreKeys({ readSecrets: readParameters }, place));
    };
    const context = { readSecrets: readParameters, openObjects };
    if (process.argv[2] === "handover") {
      const { handOver } = await import("./handover.ts");
      await handOver(context);
    } else if (process.argv[2] === "dump") {
      const { runDump } = await import("./logical/units.ts");
      await runDump(process.argv[3], context);
    } else if (process.argv[2] === "dump-end") {
      const { releaseFeedback } = await import("./logical/feedback.ts");
      await releaseFeedback();
    } else if (process.argv[2] === "load") {
      const { runLoad } = await import("./logical/units.ts");
      await runLoad(process.argv[3], context);
    } else {
      const { answerCommand } = await import("./command.ts");
      const result = await answerCommand(context);
      process.stdout.write(`${JSON.stringify(result)}\n`);
      process.exitCode = result.ok ? 0 : 1;
    }
  }
}

/** Whoever loads the program waits for it; nobody else is told of an error than Node.js itself, which then ends. */
export const ended = main();
