/** How long each part of a stop may take, for each node. */
export interface StopDeadlines {
  readonly clientsSeconds: number;
  readonly postgresSeconds: number;
  readonly instanceSeconds: number;
}

export const stopDeadlines: StopDeadlines = {
  /** PgBouncer waits for transactions under way as long as its unit allows. */
  clientsSeconds: 30,
  /** The last checkpoint of much memory on a slow disk. */
  postgresSeconds: 240,
  /** EC2 gives an operating system some minutes before it pulls the plug. */
  instanceSeconds: 300,
};
