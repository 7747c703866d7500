/** From where on something is worth a person's attention. */
export const healthLimits = {
  /** Eight segments: a replica that far behind makes a failover late, or, asynchronous, costs what it lacks. */
  lagBytesMax: 128 * 1024 ** 2,
  /** PostgreSQL stops when its volume is full; this leaves time to grow it. */
  diskUsedShareMax: 0.85,
  /** Of the volume: WAL that is kept for a replica or an archive which is away fills it in the end. */
  walShareMax: 0.4,
  /** A segment is archived within seconds; this long means that the archive is away or too slow. */
  walReadySecondsMax: 300,
  /** Half a gigabyte, in segments of 4 MiB, that only the volume holds; a burst of writing stays below it. */
  walReadyCountMax: 128,
  /** Who comes next may find none free; a pooler opens tens of them within a second. */
  connectionsUsedShareMax: 0.9,
  /** At its quota etcd takes no writes, and Patroni is without its lock; what Patroni keeps is a hundredth of it. */
  dcsUsedShareMax: 0.8,
  /** Certificates are renewed long before; who sees this knows that it does not work. */
  certificateDaysMin: 7,
  /** Patroni compares clocks of nodes within a second or two; certificates and logs tolerate no more either. */
  clockSkewMsMax: 2_000,
  /** EC2 itself says that nothing runs: this only leaves time to whoever is about to start it again. */
  lifelessSecondsMax: 20,
  /** A machine that restarts, or a network that is mended, is back within three minutes. */
  silentSecondsMax: 180,
  /** Renewal begins so long before the end: weeks of tries before anybody has to be told. */
  certificateRenewalDays: 30,
} as const;
