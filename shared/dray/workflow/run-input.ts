import * as z from 'zod'

const instant = z.string().min(1).meta({ description: 'a point in time such as "2024-06-01T12:00:00Z"' })
const key = z.string()
const change = z.strictObject({
  keys: z.union([z.array(z.string()), z.literal('all')]),
  window: z.union([z.strictObject({ from: z.string(), to: z.string() }), z.null()]),
})

/** What events say has changed, by `<source>/<entity>`. */
export const changedEntities = z.record(z.string(), change).meta({
  description: 'an object such as {"shop/orders": {"keys": ["1001"], "window": null}}',
})

/** What a run does instead of reading the window since `last_run`: `RunMode` of shared/dray/messages/run-mode.ts. */
export const runMode = z
  .union([
    z.strictObject({
      backfill: z
        .strictObject({
          from: instant,
          to: instant,
          chunk: z.string().nullish().meta({ description: 'a length of time such as "1d", or null' }),
        })
        .meta({ description: 'an object with from, to and maybe chunk' }),
    }),
    z.strictObject({
      keys: z
        .array(z.union([key, z.array(key).min(1)]))
        .min(1)
        .meta({ description: 'a list of keys, each a string or, where a key has several columns, a list of strings' }),
    }),
    z.strictObject({ resume: z.string().min(1).meta({ description: 'the name of a run' }) }),
    z.strictObject({
      replay: z
        .strictObject({
          run: z.string().nullish().meta({ description: 'the name of a run, or null' }),
          ids: z.array(z.string()).min(1).nullish().meta({ description: 'a list of ids, or null' }),
        })
        .meta({ description: 'an object with maybe run and ids' }),
    }),
  ])
  .meta({ description: 'one of {"backfill": {"from", "to"}}, {"keys": []}, {"resume": "a run"} and {"replay": {}}' })

/** The input of an execution: what a run of a workflow is asked to do. The state machine checks it before any step runs. */
export const runInput = z.strictObject({
  /** What a person notes; the console of Step Functions proposes one. */
  Comment: z.string().optional(),
  /** `manual`, `schedule`, `event:EntityUpdated`, `follow-up`, …; several are joined by commas. */
  trigger: z.string().default('manual'),
  /** The steps to run, of those that the workflow has; the others are left out. All of them when it is not said. */
  only: z.array(z.string()).min(1).meta({ description: 'a list of steps of the workflow' }).optional(),
  mode: runMode.optional(),
  /** Ids of the events that asked for the run. */
  events: z.array(z.string()).meta({ description: 'a list of strings' }).optional(),
  entities: changedEntities.optional(),
  /** The runs that led to the events, oldest first. */
  causation: z
    .array(z.strictObject({ workflow: z.string(), run: z.string() }))
    .meta({ description: 'a list of {"workflow", "run"}' })
    .optional(),
})

type Given<T> = T extends readonly (infer Item)[]
  ? readonly Given<Item>[]
  : T extends object
    ? { readonly [Key in keyof T]: Given<T[Key]> }
    : T

/** As it is given, before defaults: keys that are not said are missing, or undefined. */
export type RunInput = Given<z.input<typeof runInput>>

/** The input of a workflow that has these steps. */
export function runInputOf(steps: readonly string[]) {
  const only = z
    .array(z.enum(steps))
    .min(1)
    .meta({ description: `a list of steps of the workflow, ${listOf(steps)}` })
  return runInput.extend({ only: only.optional() })
}

/** As a sentence names them. */
export function listOf(names: readonly string[]): string {
  return names.length > 1 ? `${names.slice(0, -1).join(', ')} and ${names.at(-1)}` : names.join()
}
