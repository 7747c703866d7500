import {
  type InvocationStatus,
  isEnded,
  type StoredCommand,
  type StoredInvocation,
} from "./command-records.ts";

/** Commands and their invocations in the shapes of the AWS answers. */

const scriptPlugin = "aws:runShellScript";

export function answerCommand(
  command: StoredCommand,
  invocations: readonly StoredInvocation[],
): Record<string, unknown> {
  const status = overallStatus(invocations);
  return {
    CommandId: command.commandId,
    DocumentName: command.documentName,
    DocumentVersion: "$DEFAULT",
    Comment: command.comment,
    Parameters: command.parameters,
    InstanceIds: command.instanceIds,
    Targets: command.targets,
    RequestedDateTime: command.requestedAt / 1000,
    ExpiresAfter: command.requestedAt / 1000 + command.timeoutSeconds,
    Status: status,
    StatusDetails: status,
    TargetCount: invocations.length,
    CompletedCount: invocations.filter((item) => isEnded(item.status)).length,
    ErrorCount: invocations.filter((item) => item.status === "Failed").length,
    DeliveryTimedOutCount: 0,
    TimeoutSeconds: command.timeoutSeconds,
  };
}

export function answerInvocation(invocation: StoredInvocation): Record<string, unknown> {
  return {
    CommandId: invocation.commandId,
    InstanceId: invocation.instanceId,
    Comment: invocation.comment,
    DocumentName: invocation.documentName,
    DocumentVersion: "$DEFAULT",
    PluginName: scriptPlugin,
    ResponseCode: invocation.responseCode,
    ExecutionStartDateTime: isoOrEmpty(invocation.startedAt),
    ExecutionElapsedTime: elapsed(invocation),
    ExecutionEndDateTime: isoOrEmpty(invocation.endedAt),
    Status: invocation.status,
    StatusDetails: invocation.statusDetails,
    StandardOutputContent: invocation.stdout,
    StandardOutputUrl: "",
    StandardErrorContent: invocation.stderr,
    StandardErrorUrl: "",
  };
}

/** Lists carry 2,500 characters of output, and only when details are asked for. */
const listedOutputCharactersMax = 2_500;

export function answerListedInvocation(
  invocation: StoredInvocation,
  details: boolean,
): Record<string, unknown> {
  return {
    CommandId: invocation.commandId,
    InstanceId: invocation.instanceId,
    Comment: invocation.comment,
    DocumentName: invocation.documentName,
    DocumentVersion: "$DEFAULT",
    RequestedDateTime: invocation.requestedAt / 1000,
    Status: invocation.status,
    StatusDetails: invocation.statusDetails,
    CommandPlugins: details
      ? [
          {
            Name: scriptPlugin,
            Status: invocation.status,
            StatusDetails: invocation.statusDetails,
            ResponseCode: invocation.responseCode,
            Output: [invocation.stdout, invocation.stderr]
              .filter((text) => text !== "")
              .join("\n----------ERROR-------\n")
              .slice(0, listedOutputCharactersMax),
          },
        ]
      : [],
  };
}

function overallStatus(invocations: readonly StoredInvocation[]): InvocationStatus {
  const statuses = new Set(invocations.map((item) => item.status));
  for (const status of ["InProgress", "Pending", "Failed", "TimedOut", "Cancelled"] as const) {
    if (statuses.has(status)) return status;
  }
  return "Success";
}

function isoOrEmpty(at: number | null): string {
  return at === null ? "" : new Date(at).toISOString();
}

function elapsed(invocation: StoredInvocation): string {
  if (invocation.startedAt === null || invocation.endedAt === null) return "";
  return `PT${((invocation.endedAt - invocation.startedAt) / 1000).toFixed(3)}S`;
}
