import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type SmallProject, smallProject } from '#test/add/small-project.ts'

export interface Place {
  readonly source: string
  readonly target: string
  /** What the tool keeps of its runs; empty before the first. */
  readonly folder: string
}

export interface TrialTool {
  readonly name: string
  /** Where the rows are in the target. */
  readonly table: string
  /** Why it was not tried, where the tool has no such option for a table that is read by a cursor. */
  command(place: Place, deletes: boolean): Promise<{ line: string; environment: NodeJS.ProcessEnv } | string>
  close?(): Promise<void>
}

const PIPELINE = 'functions/trial/pipeline.ts'

/** A pipeline as `dray add` writes it. */
export async function drayTool(source: string): Promise<TrialTool> {
  const project: SmallProject = await smallProject()
  const urls = { SHOP_DATABASE_URL: source, LAKE_DATABASE_URL: `sqlite:${join(project.folder, 'none.db')}` }
  const { code, stderr } = await project.dray(['add', 'shop.trial', '--cursor', 'updated_at', '--yes'], urls)
  if (code !== 0) throw new Error(stderr)
  const written = await readFile(join(project.folder, PIPELINE), 'utf8')
  return {
    name: 'Dray',
    table: 'trial',
    async command(place, deletes) {
      const text = deletes ? written.replace(/^ {2}load: .*$/m, "$&\n  deletes: 'hard',") : written
      await writeFile(join(project.folder, PIPELINE), text)
      return {
        line: `cd ${project.folder} && node_modules/.bin/dray run trial --progress none`,
        environment: { SHOP_DATABASE_URL: place.source, LAKE_DATABASE_URL: place.target, DRAY_HOME: place.folder },
      }
    },
    close: () => project.remove(),
  }
}

export function slingTool(packages: string): TrialTool {
  return {
    name: 'Sling',
    table: 'raw.trial',
    async command({ source, target, folder }, deletes) {
      // `delete_missing` is left out with a warning where there is no token.
      if (deletes) return 'needs a token of Sling CLI Pro'
      const file = join(folder, 'trial.json')
      const stream = {
        mode: 'incremental',
        object: 'raw.trial',
        primary_key: ['id'],
        update_key: 'updated_at',
      }
      await writeFile(file, JSON.stringify({ source: 'SOURCE', target: 'TARGET', streams: { 'public.trial': stream } }))
      return {
        line: `${packages}/sling_linux_amd64/bin/sling-linux-amd64 run -r ${file}`,
        environment: {
          SOURCE: `${source}?sslmode=disable`,
          TARGET: `${target}?sslmode=disable`,
          SLING_HOME_DIR: folder,
        },
      }
    },
  }
}

export function dltTool(packages: string): TrialTool {
  return {
    name: 'dlt',
    table: 'raw.trial',
    async command({ source, target, folder }, deletes) {
      if (deletes) return 'no such option'
      return {
        line: `python3 ${join(import.meta.dirname, 'dlt_trial.py')}`,
        environment: {
          SOURCE: source,
          TARGET: target,
          FOLDER: folder,
          PYTHONPATH: packages,
          RUNTIME__DLTHUB_TELEMETRY: 'false',
        },
      }
    },
  }
}
