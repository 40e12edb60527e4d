import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { readJson, writeJson } from 'dray/internal/staging/documents.ts'
import { planPrefix } from 'dray/internal/staging/keys.ts'
import type { StagingStore } from 'dray/internal/staging/staging-store.ts'
import { createStagingStore } from 'dray/internal/staging/staging-url.ts'
import type { StateStore } from 'dray/internal/state/state-store.ts'
import { openStateIn } from 'dray-infra/internal/local/state.ts'
import { type ReplicaProject, replicaProject } from '#test/cli/replica-project.ts'

/** Of each table that has one: before all of its rows, as if these had changed since. */
const LAST_RUN = '2026-01-01 00:00:00.000000'

/** Its databases stand on the machine of the tests, without TLS. */
const ENVIRONMENTS = `export const environments = {
  dev: {
    databases: {
      shop: { engine: 'postgres', secret: '/dray/dev/shop/url', tls: 'by-url' },
      lake: { engine: 'postgres', secret: '/dray/dev/lake/url', tls: 'by-url' },
    },
    expected: { nightly: { successWithin: '3d' } },
  },
}
`

/**
 * A project with a replica whose tables have run in an environment: the run is one of this machine, on the databases of
 * the environment by the variables of its functions; its plans and marks are put where those of functions would be.
 */
export async function replicaThere(there: {
  readonly state: StateStore
  readonly staging: StagingStore
}): Promise<ReplicaProject> {
  const project = await replicaProject()
  await project.run('run', 'shop-raw')
  await writeFile(join(project.folder, 'infra/environments.ts'), ENVIRONMENTS)
  const home = join(project.folder, '.dray')
  const state = await openStateIn(home)
  const staging = await createStagingStore(pathToFileURL(join(home, 'staging')).href)
  for (const { pipeline, commitOwner, lastRun } of await state.pipelines()) {
    if (commitOwner === null || !pipeline.includes('/')) continue
    const prefix = planPrefix(commitOwner, pipeline)
    const [key = ''] = await staging.list(prefix)
    await writeJson(there.staging, prefix, await readJson(staging, key))
    const now = Date.now()
    const lease = await there.state.acquireLease(pipeline, commitOwner, now, now + 60_000)
    await there.state.commit(lease, lastRun === null ? null : LAST_RUN)
  }
  state.close()
  return project
}
