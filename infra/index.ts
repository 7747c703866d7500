/** What CDK apps of others use of pgherd: clusters as a part of their own stacks. */
export { PostgresCluster, type PostgresClusterProps } from "./constructs/postgres-cluster.ts";
