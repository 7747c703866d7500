import { createHttpApp, docsPageOf, documentOf, type HttpApp, type Route } from "@pgherd/layers/runtime/http";
import { listAllBackups } from "./backups/catalogue.ts";
import { confirmRestore } from "./backups/confirm.ts";
import { createBackup } from "./backups/create.ts";
import { deleteBackup } from "./backups/delete.ts";
import { drillBackup } from "./backups/drill.ts";
import { getBackup } from "./backups/get.ts";
import { listBackups } from "./backups/list.ts";
import { restoreCluster } from "./backups/restore.ts";
import { rollbackRestore } from "./backups/rollback.ts";
import { getConnection } from "./clusters/connection.ts";
import { createCluster } from "./clusters/create.ts";
import { deleteCluster } from "./clusters/delete.ts";
import { listEvents } from "./clusters/events.ts";
import { failoverCluster } from "./clusters/failover.ts";
import { getCluster } from "./clusters/get.ts";
import { listClusters } from "./clusters/list.ts";
import { getLogs } from "./clusters/logs.ts";
import { getMetrics } from "./clusters/metrics.ts";
import { patchCluster } from "./clusters/patch.ts";
import { pauseCluster } from "./clusters/pause.ts";
import { recoverCluster } from "./clusters/recover.ts";
import { reinitializeNode } from "./clusters/reinitialize.ts";
import { replaceNode } from "./clusters/replace.ts";
import { restartCluster } from "./clusters/restart.ts";
import { resumeCluster } from "./clusters/resume.ts";
import { rotateCluster } from "./clusters/rotate.ts";
import { scaleCluster } from "./clusters/scale.ts";
import { startCluster } from "./clusters/start.ts";
import { stopCluster } from "./clusters/stop.ts";
import { switchoverCluster } from "./clusters/switchover.ts";
import { getTopology } from "./clusters/topology.ts";
import { undeleteCluster } from "./clusters/undelete.ts";
import type { ApiContext } from "./context.ts";
import { docs } from "./meta/docs.ts";
import { healthz } from "./meta/healthz.ts";
import { openapi } from "./meta/openapi.ts";
import { cancelOperation } from "./operations/cancel.ts";
import { getOperation } from "./operations/get.ts";
import { listOperations } from "./operations/list.ts";
import { getPrometheusMetrics } from "./prometheus/metrics.ts";
import { listPrometheusTargets } from "./prometheus/targets.ts";
import { createRestorePoint } from "./restore-points/create.ts";
import { listRestorePoints } from "./restore-points/list.ts";

export function createApi(context: ApiContext): HttpApp {
  const resources = [
    createCluster,
    listClusters,
    getCluster,
    patchCluster,
    deleteCluster,
    scaleCluster,
    replaceNode,
    recoverCluster,
    getTopology,
    getMetrics,
    switchoverCluster,
    failoverCluster,
    restartCluster,
    reinitializeNode,
    getConnection,
    listEvents,
    getLogs,
    stopCluster,
    startCluster,
    pauseCluster,
    resumeCluster,
    rotateCluster,
    createBackup,
    listBackups,
    getBackup,
    deleteBackup,
    drillBackup,
    restoreCluster,
    createRestorePoint,
    listRestorePoints,
    listAllBackups,
    undeleteCluster,
    rollbackRestore,
    confirmRestore,
    listOperations,
    getOperation,
    cancelOperation,
    listPrometheusTargets,
    getPrometheusMetrics,
  ];
  const routes: Route[] = [
    ...resources.map((route) => route(context)),
    healthz(),
    openapi(() => documentOf(routes)),
    docs(() => docsPageOf(routes)),
  ];
  return createHttpApp({
    routes,
    principals: context.settings.principals,
    records: context.store,
    log: context.log,
  });
}
