import { type Caller, type Service, ServiceError } from "./service.ts";

/** So that `aws sts get-caller-identity` says who someone is here. */
export class StsService implements Service {
  readonly name = "sts";
  readonly #account: string;

  constructor(options: { account: string }) {
    this.#account = options.account;
  }

  async call(
    action: string,
    _input: Readonly<Record<string, unknown>>,
    caller: Caller,
  ): Promise<Record<string, unknown>> {
    if (action !== "GetCallerIdentity") {
      throw new ServiceError("InvalidAction", `The action ${action} is not valid for this endpoint.`, 400);
    }
    return { Arn: caller.arn, UserId: caller.accessKeyId, Account: this.#account };
  }
}
