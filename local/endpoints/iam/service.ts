import type { Documents } from "../../state/documents.ts";
import { type Service, ServiceError } from "../service.ts";
import { Roles } from "./roles.ts";

/** IAM as far as roles of nodes need it, which are made at run time. Roles of templates are names in the deployment. */
export class IamService implements Service {
  readonly name = "iam";
  readonly #roles: Roles;

  constructor(options: { documents: Documents; account: string }) {
    this.#roles = new Roles(options);
  }

  async call(action: string, input: Readonly<Record<string, unknown>>): Promise<Record<string, unknown>> {
    const act = this.#roles.actions[action];
    if (act === undefined) {
      throw new ServiceError("InvalidAction", `The action ${action} is not valid for this endpoint.`);
    }
    return act(input);
  }
}
