import { execFile } from "node:child_process";
import type { CommandResult, MachineDriver } from "../../../../local/machines/driver.ts";

/** Machines that run their commands as plain processes here, so that scripts are real and boots are instant. */
export class ScriptMachines implements MachineDriver {
  readonly running = new Set<string>();
  readonly executed: { instanceId: string; argv: readonly string[]; stdin?: string }[] = [];

  async boot(machine: { instanceId: string }): Promise<void> {
    this.running.add(machine.instanceId);
  }
  async stop(instanceId: string): Promise<void> {
    this.running.delete(instanceId);
  }
  async kill(instanceId: string): Promise<void> {
    this.running.delete(instanceId);
  }
  async remove(instanceId: string): Promise<void> {
    this.running.delete(instanceId);
  }
  async isRunning(instanceId: string): Promise<boolean> {
    return this.running.has(instanceId);
  }

  async execute(
    instanceId: string,
    command: Parameters<MachineDriver["execute"]>[1],
  ): Promise<CommandResult> {
    if (!this.running.has(instanceId)) throw new Error(`${instanceId} is not running`);
    this.executed.push({
      instanceId,
      argv: command.argv,
      ...(command.stdin === undefined ? {} : { stdin: command.stdin }),
    });
    // The agent's file belongs into a machine, not onto this one.
    if (command.stdin !== undefined) return { exitCode: 0, stdout: "", stderr: "" };
    const [program = "", ...args] = command.argv;
    return new Promise((resolve) => {
      const options = {
        env: { PATH: process.env["PATH"], ...command.environment },
        timeout: command.timeoutSeconds * 1000,
        maxBuffer: command.outputBytesMax,
      };
      execFile(program, args, options, (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === "number" ? error.code : 137;
        resolve({ exitCode: code, stdout, stderr });
      });
    });
  }

  async exitStatus(): Promise<number | null> {
    return null;
  }

  async createVolume(): Promise<void> {}
  async resizeVolume(): Promise<void> {}
  async removeVolume(): Promise<void> {}
  async attachVolume(): Promise<void> {}
  async detachVolume(): Promise<void> {}
  async applyIngress(): Promise<void> {}
}
