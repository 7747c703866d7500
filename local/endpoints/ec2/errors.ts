import { ServiceError } from "../service.ts";
import { isWellFormed, type ResourceType } from "./ids.ts";

/** EC2's words for what is wrong with the id of a resource. */
const idErrors: Readonly<Record<ResourceType, { code: string; what: string }>> = {
  instance: { code: "InvalidInstanceID", what: "instance ID" },
  reservation: { code: "InvalidReservationID", what: "reservation ID" },
  volume: { code: "InvalidVolume", what: "volume" },
  "network-interface": { code: "InvalidNetworkInterfaceID", what: "networkInterface ID" },
  "security-group": { code: "InvalidGroup", what: "security group" },
  vpc: { code: "InvalidVpcID", what: "vpc ID" },
  subnet: { code: "InvalidSubnetID", what: "subnet ID" },
  "launch-template": { code: "InvalidLaunchTemplateId", what: "launch template" },
};

export function notFound(type: ResourceType, id: string): ServiceError {
  const { code, what } = idErrors[type];
  if (!isWellFormed(type, id)) {
    const malformed = type === "security-group" ? "InvalidGroupId.Malformed" : `${code}.Malformed`;
    return new ServiceError(type === "volume" ? "InvalidParameterValue" : malformed, `Invalid id: "${id}"`);
  }
  return new ServiceError(`${code}.NotFound`, `The ${what} '${id}' does not exist`);
}

export function missingParameter(name: string): ServiceError {
  return new ServiceError("MissingParameter", `The request must contain the parameter ${name}`);
}

export function invalidValue(name: string, value: string, why?: string): ServiceError {
  return new ServiceError(
    "InvalidParameterValue",
    why ?? `Value (${value}) for parameter ${name} is invalid.`,
  );
}
