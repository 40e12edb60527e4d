import * as z from 'zod'

const key = z.string()
const change = z.strictObject({
  keys: z.union([z.array(z.string()), z.literal('all')]).meta({ description: 'a list of strings, or "all"' }),
  window: z
    .union([z.strictObject({ from: z.string(), to: z.string() }), z.null()])
    .meta({ description: '{"from": …, "to": …}, or null' }),
})
const cause = z.strictObject({ workflow: z.string(), run: z.string() })

/** What events say has changed, by `<source>/<entity>`. */
export const changedEntities = z.record(z.string(), change)

/** What a run does instead of reading the window since `last_run`: `RunMode` of shared/pipeline/run-mode.ts. */
export const runMode = z
  .union([
    z.strictObject({
      backfill: z.strictObject({ from: z.string().min(1), to: z.string().min(1), chunk: z.string().nullish() }),
    }),
    z.strictObject({ keys: z.array(z.union([key, z.array(key).min(1)])).min(1) }),
    z.strictObject({ resume: z.string().min(1) }),
    z.strictObject({
      replay: z.strictObject({ run: z.string().nullish(), ids: z.array(z.string()).min(1).nullish() }),
    }),
  ])
  .meta({
    description: 'one of {"backfill": {"from": …, "to": …}}, {"keys": […]}, {"resume": "<run>"} and {"replay": {}}',
  })

/** The input of an execution: what a run of a workflow is asked to do. The state machine checks it before any step runs. */
export const runInput = z.strictObject({
  /** `manual`, `schedule`, `event:EntityUpdated`, `follow-up`, …; several are joined by commas. */
  trigger: z.string().default('manual'),
  /** The steps to run, of those that the workflow has; the others are left out. All of them when it is not said. */
  only: z.array(z.string()).min(1).optional(),
  mode: runMode.optional(),
  /** Ids of the events that asked for the run. */
  events: z.array(z.string()).optional(),
  entities: changedEntities.optional(),
  /** The runs that led to the events, oldest first. */
  causation: z.array(cause).optional(),
})

/** As it is given, before defaults: keys that are not said are missing, or undefined. */
export type RunInput = z.input<typeof runInput>
