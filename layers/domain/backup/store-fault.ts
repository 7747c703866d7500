import { Problem, type ProblemCode } from "../problems.ts";
import type { BackupStore } from "./store.ts";

/** What a store of somebody else's can have, and the field that says otherwise. */
const faults = {
  unreachable: { code: "store-unreachable", field: "endpoint" },
  untrusted: { code: "store-untrusted", field: "endpoint" },
  "keys-unfit": { code: "store-credentials-unfit", field: "credentialsParameter" },
  "key-refused": { code: "store-key-refused", field: "credentialsParameter" },
  "bucket-unknown": { code: "store-bucket-unknown", field: "bucket" },
  "other-region": { code: "store-unfit", field: "region" },
  unfit: { code: "store-unfit", field: "endpoint" },
} as const satisfies Record<string, { code: ProblemCode; field: keyof BackupStore }>;

export type StoreFault = keyof typeof faults;
export const storeFaultCodes: readonly ProblemCode[] = [
  ...new Set(Object.values(faults).map(({ code }) => code)),
];

/** @param path JSON pointer of the store in the body; null: it is not in there, as it is the one of what is read */
export function storeProblem(
  fault: { readonly fault: StoreFault; readonly message: string },
  path: string | null,
): Problem {
  const { code, field } = faults[fault.fault];
  const { message } = fault;
  const errors = path === null ? [] : [{ path: `${path}/${field}`, message }];
  return new Problem(code, `The store for backups cannot be used: ${message}.`, { errors, cause: fault });
}
