import type { Compute, SecurityGroupUse } from "@pgherd/layers/ports";

/** The VPC's groups, and who names the cluster's, as a test says. */
export class FakeSecurityGroups implements Pick<Compute, "unknownSecurityGroups" | "securityGroupUse"> {
  readonly there = new Set<string>();
  readonly asked: string[][] = [];
  namedBy: SecurityGroupUse["namedBy"] = [];

  unknownSecurityGroups: Compute["unknownSecurityGroups"] = async (ids) => {
    this.asked.push([...ids]);
    return ids.filter((id) => !this.there.has(id));
  };

  securityGroupUse: Compute["securityGroupUse"] = async () => ({
    securityGroupId: "sg-000000c1",
    namedBy: this.namedBy,
  });
}
