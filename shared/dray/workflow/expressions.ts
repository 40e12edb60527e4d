/**
 * JSONata that Step Functions and the npm package evaluate alike: no `$eval`, no `$parse`, no `$` at the top, and no
 * backslash escape of a quote or bracket inside a regular expression (`\x5c` is a backslash).
 */
import type { StepOutcome } from '#dray/messages/stages.ts'

const LONGEST_REASON = 300

export function jsonata(expression: string): string {
  return `{% ${expression} %}`
}

/** A string literal; names are kebab-case and sentences are ours, so that JSON's quoting is JSONata's. */
function literal(text: string): string {
  return JSON.stringify(text)
}

function statusOf(step: string): string {
  return `$states.input.steps.\`${step}\`.status`
}

/** The steps that the execution was asked for; no value when it was asked for all. */
const ONLY = '$states.context.Execution.Input.only'

function isLeftOut(step: string): string {
  return `($exists(${ONLY}) ? (${literal(step)} in ${ONLY}) = false : false)`
}

/**
 * What the execution was asked to do instead of a usual run. Only Plan and tasks look at it, so that no other payload
 * bears it.
 */
export const modeOfRun = jsonata(
  '$exists($states.context.Execution.Input.mode) ? $states.context.Execution.Input.mode : null',
)

/** What events say has changed, by entity. */
export const entitiesOfRun = jsonata(
  '$exists($states.context.Execution.Input.entities) ? $states.context.Execution.Input.entities : null',
)

/** The steps that the execution was asked for, or null. */
export const onlyOfRun = jsonata(`$exists(${ONLY}) ? ${ONLY} : null`)

/** Whether the execution was asked for other steps than this one. */
export function leftOut(step: string): string {
  return jsonata(isLeftOut(step))
}

/** The statuses of these steps, as far as they have run. */
export function statusesOf(steps: readonly string[]): string {
  const found = steps.map(
    (step) => `$exists(${statusOf(step)}) ? {${literal(step)}: {"status": ${statusOf(step)}}} : {}`,
  )
  return jsonata(`$merge([${['{}', ...found].join(', ')}])`)
}

/** The run that made the plan: this one, or the one that it resumes. */
export const planningRun = jsonata(
  '$exists($states.input.plan.planned_by) ? $states.input.plan.planned_by : $states.input.run.id',
)

/** Whether all of the steps have succeeded, or were left out; a step that is not there has not. */
export function allFulfilled(steps: readonly string[]): string {
  return jsonata(steps.map((step) => `(${statusOf(step)} = "success" or ${isLeftOut(step)})`).join(' and '))
}

/** `orders failed and customers was skipped`: those of the asked steps that did not succeed, and how they ended. */
function thoseThatDidNotSucceed(steps: readonly string[]): string {
  const endings = '{"failed": " failed", "skipped": " was skipped", "refused": " was refused"}'
  return (
    `$join($map($filter([${steps.map(literal).join(', ')}], function($step) { ` +
    `($lookup($states.input.steps, $step).status = "success") = false and ` +
    `($exists(${ONLY}) ? $step in ${ONLY} : true) }), function($step) { ` +
    `$step & ($status := $lookup($states.input.steps, $step).status; ` +
    `$exists($status) ? $lookup(${endings}, $status) : " did not run") }), ", ")`
  )
}

export function skippedReason(dependencies: readonly string[]): string {
  return jsonata(`"Skipped, since " & ${thoseThatDidNotSucceed(dependencies)} & "."`)
}

/** Finish may also fail a run whose steps have all succeeded. */
export function failureCause(steps: readonly string[]): string {
  return jsonata(
    `($those := ${thoseThatDidNotSucceed(steps)}; $exists($those) ? $those & "." : "Finish ended the run as failed.")`,
  )
}

/**
 * `<Error>: <message>` of the caught error. The cause of a Lambda's error is JSON with an `errorMessage`, which may be
 * cut off; that of other errors is a sentence, or missing.
 */
export const caughtReason = jsonata(
  '($cause := $exists($states.input.error.Cause) ? $string($states.input.error.Cause) : ""; ' +
    '$found := $match($cause, /"errorMessage"\\s*:\\s*"((?:[^"\\x5c]|\\x5c.){0,2000})/, 1); ' +
    '$message := $exists($found) ? $replace($found.groups[0], /\\x5c(u[0-9a-fA-F]{4}|.)/, function($escape) { ' +
    '$contains($escape.groups[0], /^(u....|[nrtbf])$/) ? " " : $escape.groups[0] }) : $cause; ' +
    `$states.input.error.Error & ($message = "" ? "" : ": " & $substring($message, 0, ${LONGEST_REASON})))`,
)

/** The steps so far and the outcome of one more, which may carry further fields: an expression of an object. */
export function stepsWith(step: string, outcome: string): string {
  return jsonata(`$merge([$states.input.steps, {${literal(step)}: ${outcome}}])`)
}

/** An outcome as an expression; `reason` is a `{% … %}` expression, or null. */
export function outcome(status: StepOutcome['status'], reason: string | null): string {
  const sentence = reason === null ? 'null' : reason.slice('{% '.length, -' %}'.length)
  return `{"status": ${literal(status)}, "reason": ${sentence}}`
}
