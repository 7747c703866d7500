import { configurationFiles, nodePaths } from "./paths.ts";
import { stanza } from "./pgbackrest.ts";

/**
 * A standby takes what it is sent for archived, whatever the leader came to archive: what a leader had not archived when
 * it was lost would be missing for ever. Whoever is promoted hands in again what the archive does not have; what it has
 * already it takes for archived. A segment in which a timeline ended is not whole on a standby, which counts it as
 * archived all the same (WalReceiverMain in walreceiver.c): the next timeline has a copy of it. Handed in under its own
 * name, it would be another one than the lost leader's, and everything would wait behind it for ever.
 */

/** Segments are archived some at a time, so one before the newest may be missing. */
const overlapSegments = 32;
/** Until then the archive has answered; where it has not, all that is there is handed in again. */
const infoSeconds = 30;

export interface MenderPlaces {
  readonly status: string;
  /** A command that prints what the archive has as `pgbackrest info --output=json` does. */
  readonly info: readonly string[];
}

const places: MenderPlaces = {
  status: `${nodePaths.postgresData}/pg_wal/archive_status`,
  info: [
    "/usr/bin/pgbackrest",
    `--config=${configurationFiles.pgbackrest}`,
    `--stanza=${stanza}`,
    "--output=json",
    "info",
  ],
};

/** Patroni's callback: it is called with the action, the new role and the scope. */
export function archiveMender({ info, status }: MenderPlaces = places): string {
  return `"""Hands in again what a lost leader may not have archived. Written by pgherd."""
import json
import os
import re
import subprocess
import sys

STATUS = ${JSON.stringify(status)}
INFO = ${JSON.stringify(info)}
INFO_SECONDS = ${infoSeconds}
OVERLAP_SEGMENTS = ${overlapSegments}
DONE = re.compile(r'^([0-9A-F]{24})\\.done$')
HISTORY = re.compile(r'^([0-9A-F]{8})\\.history$')
FORK = re.compile(r'^\\s*(\\d+)\\s+([0-9A-F]+)/([0-9A-F]+)')
WAL = os.path.dirname(STATUS)


def line():
    """The own timeline, and where each one before it ended, in bytes of WAL."""
    own = max((match.group(1) for match in map(HISTORY.match, os.listdir(WAL)) if match), default=None)
    if own is None:
        return 1, {}
    with open(os.path.join(WAL, own + '.history')) as history:
        forks = [match.groups() for match in map(FORK.match, history) if match]
    return int(own, 16), {int(timeline): (int(high, 16) << 32) + int(low, 16) for timeline, high, low in forks}


def is_whole(name, own, forks):
    """Whether a segment is one of the own line and nothing of it belongs to the next timeline."""
    timeline, high, number = (int(name[at:at + 8], 16) for at in (0, 8, 16))
    if timeline == own:
        return True
    try:
        size = os.path.getsize(os.path.join(WAL, name))
    except FileNotFoundError:
        return False
    return (high << 32) + (number + 1) * size <= forks.get(timeline, 0)


def newest_archived():
    """The newest segment of the archive, without its timeline; None where nobody knows."""
    try:
        said = subprocess.run(INFO, capture_output=True, timeout=INFO_SECONDS, check=True).stdout
        found = [one.get('max') for stanza in json.loads(said) for one in stanza.get('archive', [])]
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        print('the archive does not say what it has: %s' % error, file=sys.stderr)
        return None
    return max((name[8:] for name in found if name), default=None)


def missing(names, newest):
    """Of the segments that count as archived, oldest first, those that may not be."""
    if newest is None:
        return names
    before = [name for name in names if name[8:] <= newest]
    return before[-OVERLAP_SEGMENTS:] + [name for name in names if name[8:] > newest]


def main():
    if sys.argv[2] not in ('primary', 'master'):
        return
    own, forks = line()
    done = sorted(match.group(1) for match in map(DONE.match, os.listdir(STATUS)) if match)
    for name in missing([name for name in done if is_whole(name, own, forks)], newest_archived()):
        try:
            os.rename(os.path.join(STATUS, name + '.done'), os.path.join(STATUS, name + '.ready'))
        except FileNotFoundError:
            # A checkpoint has just removed the segment.
            pass


if __name__ == '__main__':
    main()
`;
}
