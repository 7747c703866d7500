import { type FieldError, Problem, type ProblemCode, problemKinds } from "../../domain/problems.ts";

/** Errors beyond this many tell a caller nothing more. */
const errorsMax = 100;

export interface ProblemBody {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: ProblemCode;
  readonly requestId: string;
  readonly errors?: readonly FieldError[];
}

/** Relative to the API's own address, where the page describes every code. */
const problemType = (code: ProblemCode): string => `/docs#${code}`;

/** Whatever is not meant for the caller becomes `internal`, which says nothing but where to look. */
export function problemBody(error: unknown, requestId: string): ProblemBody {
  const { code, message, errors } =
    error instanceof Problem
      ? error
      : new Problem("internal", `Something went wrong on our side. The log has it under ${requestId}.`);
  const { status, title } = problemKinds[code];
  return {
    type: problemType(code),
    title,
    status,
    detail: message,
    code,
    requestId,
    ...(errors.length === 0 ? {} : { errors: errors.slice(0, errorsMax) }),
  };
}
