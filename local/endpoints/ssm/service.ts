import type { MachineDriver } from "../../machines/driver.ts";
import type { Documents } from "../../state/documents.ts";
import { type Caller, type Service, ServiceError } from "../service.ts";
import { Agents, type MachineEnvironment, type MachineInventory } from "./agent.ts";
import { CommandDocuments } from "./command-documents.ts";
import { Commands } from "./commands.ts";
import { ParameterStore } from "./parameters.ts";
import { Vault } from "./vault.ts";

export interface SsmServiceOptions {
  readonly documents: Documents;
  readonly driver: MachineDriver;
  readonly inventory: MachineInventory;
  /** 32 bytes that SecureString values are sealed with. */
  readonly vaultKey: Buffer;
  readonly region: string;
  readonly account: string;
  /** What machines are told about where AWS is. */
  readonly machineEnvironment: MachineEnvironment;
}

/** Systems Manager: Parameter Store and Run Command. */
export class SsmService implements Service {
  readonly name = "ssm";
  readonly #parameters: ParameterStore;
  readonly #documents: CommandDocuments;
  readonly #commands: Commands;

  constructor(options: SsmServiceOptions) {
    const { documents, region, account, driver, inventory } = options;
    this.#parameters = new ParameterStore({ documents, vault: new Vault(options.vaultKey), region, account });
    this.#documents = new CommandDocuments(documents);
    const agents = new Agents({ driver, environment: options.machineEnvironment });
    this.#commands = new Commands({
      documents,
      commandDocuments: this.#documents,
      driver,
      agents,
      inventory,
    });
  }

  /** Ends what a killed control plane left in flight. Called once before the first call. */
  recover(): void {
    this.#commands.recover();
  }

  /** `AWS::SSM::Document` of the template: creates or replaces it. */
  putDocument(name: string, content: unknown): void {
    this.#documents.put(name, content);
  }

  deleteDocument(name: string): void {
    this.#documents.delete(name);
  }

  /** Resolves when no command runs. */
  async settled(): Promise<void> {
    await this.#commands.settled();
  }

  async call(
    action: string,
    input: Readonly<Record<string, unknown>>,
    caller: Caller,
  ): Promise<Record<string, unknown>> {
    const parameterAction = this.#parameters.actions[action];
    if (parameterAction !== undefined) return parameterAction(input, caller);
    const commandAction = this.#commands.actions[action];
    if (commandAction !== undefined) return commandAction(input);
    if (action === "ListDocuments") {
      const identifiers = this.#documents.list().map((document) => ({
        Name: document.name,
        DocumentType: "Command",
        SchemaVersion: "2.2",
        PlatformTypes: ["Linux"],
      }));
      return { DocumentIdentifiers: identifiers };
    }
    throw new ServiceError("UnknownOperationException", `The operation ${action} does not exist here.`);
  }
}
