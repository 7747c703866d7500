/**
 * The script that starts Patroni. It changes constants of the one Patroni that it knows and then calls Patroni's own
 * `main()`; anything that is not as it knows it, and it calls `main()` of a Patroni that nobody touched.
 * docs/decisions/patroni-wrapper.md says what each change is for and why it is safe.
 *
 *     patroni-wrapper.py /etc/pgherd/patroni.yaml     starts Patroni
 *     patroni-wrapper.py --check                      says whether it would be changed; exit status 0 or 1
 */
export const patroniWrapper = `"""Starts Patroni with shorter waits, if it is the Patroni that this script knows. Written by pgherd."""
import dis
import json
import os
import select
import socket
import sys
import threading
import time

KNOWN_VERSIONS = ('4.0.7',)
# Tells how Patroni runs; the directory goes with the service.
REPORT = '/run/patroni/wrapper'

STOP_POLLING_SECONDS = 0.05
CATCH_UP_SECONDS = 0.01
# Standbys are asked again for so long whether they have the shutdown checkpoint.
CAUGHT_UP_WITHIN_SECONDS = 1
MEMBER_STATUS_SECONDS = 0.5
TTL_MIN = 7
RETRY_TIMEOUT_MIN = 2
# A loop in flight swallows a wake-up, so there are several.
WAKE_UPS = 12
WAKE_UP_SECONDS = 0.1
LOOK_FOR_POSTMASTER_SECONDS = 0.2
# Who holds the poolers during a planned change listens here.
CONDUCTOR = '/run/pgherd/step-down.sock'
CONDUCTOR_SECONDS = 10


class Unknown(Exception):
    """Patroni is not as this script knows it."""


def require(condition, what):
    if not condition:
        raise Unknown(what)


def nested(code, name):
    found = [const for const in code.co_consts if hasattr(const, 'co_code') and const.co_name == name]
    require(len(found) == 1, '%s has %d functions %s' % (code.co_name, len(found), name))
    return found[0]


def with_constant(code, old, new):
    """The same code with another constant, which it must use exactly once."""
    def same(const):
        return type(const) is type(old) and const == old
    uses = [step for step in dis.get_instructions(code) if step.opcode in dis.hasconst and same(step.argval)]
    require(len(uses) == 1, '%s uses %r %d times, not once' % (code.co_qualname, old, len(uses)))
    return code.replace(co_consts=tuple(new if same(const) else const for const in code.co_consts))


def with_nested(code, old, new):
    return code.replace(co_consts=tuple(new if const is old else const for const in code.co_consts))


def reads(code, *names):
    """The code calls what it is said to call: a constant of another meaning is not changed."""
    missing = [name for name in names if name not in code.co_names]
    require(not missing, '%s does not use %s' % (code.co_qualname, ', '.join(missing)))


class PostmasterWatch(threading.Thread):
    """Wakes Patroni's loop when PostgreSQL ends, instead of at the loop's next turn."""

    def __init__(self, ha):
        super().__init__(name='postmaster-watch', daemon=True)
        self._ha = ha
        self._pid_file = os.path.join(ha.state_handler.data_dir, 'postmaster.pid')

    def _open(self):
        try:
            with open(self._pid_file) as file:
                pid = int(file.readline())
            return os.pidfd_open(pid) if pid > 0 else None
        except (OSError, ValueError):
            # No PostgreSQL, or one that has just gone.
            return None

    def run(self):
        while True:
            process = self._open()
            if process is None:
                time.sleep(LOOK_FOR_POSTMASTER_SECONDS)
                continue
            try:
                poll = select.poll()
                poll.register(process, select.POLLIN)
                poll.poll()
            finally:
                os.close(process)
            for _ in range(WAKE_UPS):
                self._ha.wakeup()
                time.sleep(WAKE_UP_SECONDS)


def ask_conductor():
    """Asks who holds the poolers before a planned step down: its answer, or None where nobody listens."""
    try:
        with socket.socket(socket.AF_UNIX) as conductor:
            conductor.settimeout(CONDUCTOR_SECONDS)
            conductor.connect(CONDUCTOR)
            conductor.sendall(b'step down\\n')
            return conductor.recv(4096).decode().strip() or None
    except (OSError, ValueError):
        return None


def plan():
    """Checks everything and returns what is to be done: nothing is changed before all of it is known."""
    from patroni import version
    require(version.__version__ in KNOWN_VERSIONS, 'Patroni %s is not known' % version.__version__)
    from patroni import config, ha, postgresql
    from patroni.dcs import etcd, etcd3

    # Each request to etcd waited 45 ms for a delayed acknowledgement: Patroni drops urllib3's own TCP_NODELAY.
    original_options = etcd3.Etcd3.set_socket_options
    require(original_options.__code__.co_varnames[:3] == ('self', 'sock', 'socket_options'),
            'Etcd3.set_socket_options takes other arguments')
    reads(original_options.__code__, 'enable_keepalive')

    def set_socket_options(self, sock, socket_options):
        original_options(self, sock, socket_options)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    # Patroni reads where etcd is at its start alone: with every member of that time gone, it never found another.
    original_reload = etcd.AbstractEtcd.reload_config
    require(original_reload.__code__.co_varnames[:2] == ('self', 'config'), 'reload_config takes other arguments')
    client = etcd.AbstractEtcdClientWithFailover
    reads(client._get_machines_cache_from_config.__code__, '_config')
    reads(client._refresh_machines_cache.__code__, '_machines_cache_updated')

    def reload_config(self, config):
        original_reload(self, config)
        section = config.get(self.__class__.__name__.lower(), {})
        if isinstance(section.get('hosts'), list):
            protocol = section.get('protocol', 'http')
            self._client._config['hosts'] = [
                etcd.uri(protocol, etcd.split_host_port(host.strip(), 2379)) for host in section['hosts']]
            self._client._machines_cache_updated = 0

    # How often a stopping PostgreSQL is looked at.
    require(getattr(postgresql, 'STOP_POLLING_INTERVAL', None) == 1, 'STOP_POLLING_INTERVAL is not 1')
    reads(postgresql.Postgresql._do_stop.__code__, 'STOP_POLLING_INTERVAL', 'controldata')

    # What replicas get to catch up before they are asked whether they have.
    demote = ha.Ha.demote.__code__
    on_shutdown = nested(demote, 'on_shutdown')
    reads(on_shutdown, 'sleep', 'is_failover_possible', 'release_leader_key_voluntarily')
    new_demote = with_nested(demote, on_shutdown, with_constant(on_shutdown, 1, CATCH_UP_SECONDS))

    # Patroni asks the standbys once and, if none has everything yet, waits until PostgreSQL has ended.
    original_possible = ha.Ha.is_failover_possible
    require('cluster_lsn' in original_possible.__code__.co_varnames, 'is_failover_possible knows no cluster_lsn')

    def is_failover_possible(self, *args, **kwargs):
        possible = original_possible(self, *args, **kwargs)
        end = time.monotonic() + CAUGHT_UP_WITHIN_SECONDS
        while kwargs.get('cluster_lsn') and not possible and time.monotonic() < end:
            time.sleep(CATCH_UP_SECONDS)
            possible = original_possible(self, *args, **kwargs)
        return possible

    original_demote = ha.Ha.demote
    reads(demote, 'stop', 'release_leader_key_voluntarily')
    reads(postgresql.Postgresql._do_stop.__code__, 'checkpoint', 'signal_stop')
    reads(ha.Ha.process_manual_failover_from_leader.__code__, 'try_run_async', 'demote', 'manual_failover')

    def demote_when_clients_wait(self, mode):
        answer = ask_conductor() if mode == 'graceful' else None
        if answer is None:
            return original_demote(self, mode)
        reason = answer[2:].strip() if answer.startswith('no') else None
        if reason is None:
            # The conductor has just had one made; PostgreSQL makes another when it shuts down.
            self.state_handler.checkpoint = lambda *args, **kwargs: None
            try:
                return original_demote(self, mode)
            finally:
                del self.state_handler.checkpoint
        ha.logger.warning('Not stepping down: %s', reason)
        self.dcs.manual_failover('', '')
        return None

    # The leader race asks every member, the dead one too.
    status = ha.Ha.fetch_node_status.__code__
    reads(status, 'request', 'from_api_response', 'unknown')
    new_status = with_constant(status, 2, MEMBER_STATUS_SECONDS)

    # ttl and retry_timeout below these are raised silently.
    adjust = config.Config._validate_and_adjust_timeouts.__code__
    new_adjust = with_constant(with_constant(adjust, 20, TTL_MIN), 3, RETRY_TIMEOUT_MIN)

    original_init = ha.Ha.__init__
    require(callable(getattr(ha.Ha, 'wakeup', None)), 'Ha has no wakeup')
    reads(original_init.__code__, 'state_handler')
    require(hasattr(os, 'pidfd_open'), 'this Python cannot watch a process')

    def init(self, *args, **kwargs):
        original_init(self, *args, **kwargs)
        PostmasterWatch(self).start()

    def apply():
        etcd3.Etcd3.set_socket_options = set_socket_options
        etcd.AbstractEtcd.reload_config = reload_config
        postgresql.STOP_POLLING_INTERVAL = STOP_POLLING_SECONDS
        original_demote.__code__ = new_demote
        ha.Ha.demote = demote_when_clients_wait
        ha.Ha.is_failover_possible = is_failover_possible
        ha.Ha.fetch_node_status.__code__ = new_status
        config.Config._validate_and_adjust_timeouts.__code__ = new_adjust
        ha.Ha.__init__ = init

    return apply


def report(content):
    try:
        with open(REPORT, 'w') as file:
            json.dump(content, file)
    except OSError as error:
        print('WARNING: %s cannot be written: %s' % (REPORT, error), file=sys.stderr)


def prepare():
    """None when Patroni is as it is known and can be changed; else why not."""
    try:
        return plan(), None
    except Exception as error:  # Whatever it is: Patroni itself must start.
        return None, '%s' % error if isinstance(error, Unknown) else '%s: %s' % (type(error).__name__, error)


def main():
    apply, refusal = prepare()
    if sys.argv[1:] == ['--check']:
        print('as known' if refusal is None else refusal)
        return 0 if refusal is None else 1
    if apply is None:
        print('WARNING: Patroni runs as it is, without shorter waits: %s' % refusal, file=sys.stderr, flush=True)
        report({'active': False, 'reason': refusal})
    else:
        apply()
        report({'active': True})
    from patroni.__main__ import main as patroni_main
    return patroni_main()


# Patroni starts PostgreSQL in a process that imports this file again.
if __name__ == '__main__':
    sys.exit(main())
`;
