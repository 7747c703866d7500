/**
 * The instance types that nodes can have: AWS Graviton, because the node image is built for one architecture.
 * On one machine the same catalogue decides memory settings, so that a cluster is tuned alike everywhere.
 */

export interface InstanceType {
  readonly name: string;
  readonly vcpus: number;
  readonly memoryMiB: number;
}

const mebibytesPerGiB = 1024;

/** Sizes of the t4g family; `nano` (512 MiB) is left out: etcd, Patroni and PostgreSQL do not fit. */
const burstable: readonly (readonly [size: string, vcpus: number, memoryGiB: number])[] = [
  ["micro", 2, 1],
  ["small", 2, 2],
  ["medium", 2, 4],
  ["large", 2, 8],
  ["xlarge", 4, 16],
  ["2xlarge", 8, 32],
];

const sizes: readonly (readonly [size: string, vcpus: number])[] = [
  ["medium", 1],
  ["large", 2],
  ["xlarge", 4],
  ["2xlarge", 8],
  ["4xlarge", 16],
  ["8xlarge", 32],
  ["12xlarge", 48],
  ["16xlarge", 64],
];
/** Only the eighth generation goes further. */
const largestSizes: readonly (readonly [size: string, vcpus: number])[] = [
  ["24xlarge", 96],
  ["48xlarge", 192],
];

const memoryGiBPerVcpu = { c: 2, m: 4, r: 8 } as const;

function family(name: string, memoryGiB: number, offered: typeof sizes): InstanceType[] {
  return offered.map(([size, vcpus]) => ({
    name: `${name}.${size}`,
    vcpus,
    memoryMiB: vcpus * memoryGiB * mebibytesPerGiB,
  }));
}

function allTypes(): InstanceType[] {
  const types = burstable.map(([size, vcpus, memoryGiB]) => ({
    name: `t4g.${size}`,
    vcpus,
    memoryMiB: memoryGiB * mebibytesPerGiB,
  }));
  for (const [letter, memoryGiB] of Object.entries(memoryGiBPerVcpu)) {
    types.push(...family(`${letter}6g`, memoryGiB, sizes));
    types.push(...family(`${letter}7g`, memoryGiB, sizes));
    types.push(...family(`${letter}8g`, memoryGiB, [...sizes, ...largestSizes]));
  }
  return types;
}

const catalogue = new Map(allTypes().map((type) => [type.name, type]));

export function findInstanceType(name: string): InstanceType | undefined {
  return catalogue.get(name);
}

export const instanceTypeNames: readonly string[] = [...catalogue.keys()];

/** For messages: the families with their smallest and largest size. */
export const instanceTypeSummary =
  "t4g.micro to t4g.2xlarge, and c6g, m6g, r6g, c7g, m7g, r7g, c8g, m8g and r8g from medium to 16xlarge (eighth generation: 48xlarge)";
