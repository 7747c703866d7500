/** Who signed a request, as the local IAM knows the access key. */
export interface Caller {
  readonly accessKeyId: string;
  /** ARN of the principal: an assumed role of a function or an instance, or the operator's own user. */
  readonly arn: string;
  /** Role name where the caller is a role; null for the operator. */
  readonly roleName: string | null;
}

/** An error as AWS answers it: the code is AWS's own for that call. */
export class ServiceError extends Error {
  readonly code: string;
  readonly statusCode: number;

  constructor(code: string, message: string, statusCode = 400, options?: { cause: unknown }) {
    super(message, options);
    this.name = "ServiceError";
    this.code = code;
    this.statusCode = statusCode;
  }
}

/** A {@link ServiceError} with the error it comes from. */
export function serviceError(fields: {
  code: string;
  message: string;
  statusCode?: number;
  cause: unknown;
}): ServiceError {
  return new ServiceError(fields.code, fields.message, fields.statusCode ?? 400, { cause: fields.cause });
}

/**
 * One AWS service. The server decodes the wire protocol to `input` and encodes what `call` returns.
 * EC2 (Query): input is nested from `Filter.1.Name` to `{Filter: [{Name}]}` (all leaves strings); the output is the
 * body of `<ActionResponse>` in the wire's element names, arrays become `<item>` lists.
 * SSM and other JSON services: input and output are the JSON bodies.
 */
export interface Service {
  /** As SigV4 names it: ec2, ssm … */
  readonly name: string;
  call(
    action: string,
    input: Readonly<Record<string, unknown>>,
    caller: Caller,
  ): Promise<Record<string, unknown>>;
}
