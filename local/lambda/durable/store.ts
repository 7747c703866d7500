import type { Collection, Documents } from "../../state/documents.ts";
import type { ExecutionRecord, OperationRecord } from "./types.ts";

/** Executions and their operations in the state's database. Execution names are unique in an environment. */
export class ExecutionStore {
  readonly #documents: Documents;
  readonly #executions: Collection<ExecutionRecord>;
  readonly #operations: Collection<OperationRecord>;

  constructor(documents: Documents) {
    this.#documents = documents;
    this.#executions = documents.collection("durable-executions");
    this.#operations = documents.collection("durable-operations");
  }

  get(name: string): ExecutionRecord | undefined {
    return this.#executions.get(name);
  }

  list(): readonly ExecutionRecord[] {
    return this.#executions.list();
  }

  operationsOf(name: string): Map<string, OperationRecord> {
    return new Map(this.#operations.listFrom(`${name}/`).map((operation) => [operation.id, operation]));
  }

  /** Writes the execution and the operations that changed, all or nothing. */
  save(execution: ExecutionRecord, changed: readonly OperationRecord[]): void {
    this.#documents.transaction(() => {
      this.#executions.put(execution.name, execution);
      for (const operation of changed)
        this.#operations.put(operationKey(execution.name, operation), operation);
    });
  }

  delete(name: string): void {
    this.#documents.transaction(() => {
      for (const operation of this.#operations.listFrom(`${name}/`)) {
        this.#operations.delete(operationKey(name, operation));
      }
      this.#executions.delete(name);
    });
  }
}

/** Keys sort in the order of the operations' starts. */
function operationKey(name: string, operation: OperationRecord): string {
  return `${name}/${String(operation.sequence).padStart(6, "0")}`;
}
