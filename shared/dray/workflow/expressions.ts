/**
 * JSONata that Step Functions, whose engine is written in Java, and the npm package evaluate alike: no regular
 * expression (a long cause overflows Java's stack), no `$eval`, no `$` and no bare name at the top, and no chain that
 * grows with the steps (an expression may nest 100 levels, and what is counted as nested grows with each call of a
 * function that makes a list or an object of two parts or more).
 */
import type { StepOutcome } from '#dray/messages/stages.ts'

/** In characters; so is the other. */
const LONGEST_REASON = 300
/** Of reasons that share a payload: 300 of them, of four bytes a character. */
const LONGEST_OF_MANY = 160

/** What a reason can need of a cause: an error's name, and a message of which each character is an escape of six. */
const LONGEST_CAUSE = 4_000

export function jsonata(expression: string): string {
  return `{% ${expression} %}`
}

function withoutBrackets(text: string): string {
  return text.slice('{% '.length, -' %}'.length)
}

/** A string literal; names are kebab-case and sentences are ours, so that JSON's quoting is JSONata's. */
function literal(text: string): string {
  return JSON.stringify(text)
}

const QUOTE = literal('"')
const BACKSLASH = literal('\\')

/** What stands for an escaped backslash or quote for a while: JSON never holds these characters bare. */
const ASIDE = { backslash: literal('\u0001'), quote: literal('\u0002') } as const

/**
 * An expression of the first characters of a text: Java's `$substring` fails on a pair of surrogates when it is asked
 * for more characters than there are.
 */
export function firstOf(text: string, most: number): string {
  return `($length(${text}) > ${most} ? $substring(${text}, 0, ${most}) : ${text})`
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

/** The tables of replicas that the execution was asked for, or null. */
export const tablesOfRun = jsonata(
  '$exists($states.context.Execution.Input.tables) ? $states.context.Execution.Input.tables : null',
)

/** The tables that are separate steps, or null. */
export const exceptOfRun = jsonata(
  '$exists($states.context.Execution.Input.except) ? $states.context.Execution.Input.except : null',
)

/** The steps that the execution was asked for, or null. */
export const onlyOfRun = jsonata(`$exists(${ONLY}) ? ${ONLY} : null`)

/** Whether the execution was asked for other steps than this one. */
export function leftOut(step: string): string {
  return jsonata(isLeftOut(step))
}

/** The statuses of these steps, as far as they have run. */
export function statusesOf(steps: readonly string[]): string {
  return statusesIn(listed(steps))
}

/** The same of an expression of a list. */
function statusesIn(steps: string): string {
  return jsonata(
    `$merge($map(${steps}, function($step) { ($known := $lookup($states.input.steps, $step); ` +
      `$exists($known) ? {$step: {"status": $known.status}} : {}) }))`,
  )
}

/**
 * What a workflow's machine gives to a pipeline's: of what events say has changed, its own part. In a group of
 * pipelines, whose items say what is to be known of each.
 */
export const inputOfPipeline = jsonata(
  '($asked := $states.context.Execution.Input; $entity := $states.input.entity; $isReplica := $exists($states.input.except); ' +
    '$kept := $isReplica ? ["mode", "only", "tables"] : ["mode", "only"]; $merge([' +
    '{"run": $states.input.run, "AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID": $states.context.Execution.Id}, ' +
    '$sift($asked, function($v, $k) { $k in $kept }), ' +
    '$exists($states.input.suffix) ? {"pipeline": $states.input.step} : {}, ' +
    '$isReplica ? {"except": $states.input.except} : {}, ' +
    '$exists($entity) and $exists($asked.entities) ? ' +
    '{"entities": $merge($sift($asked.entities, function($v, $k) { $k = $entity }))} : {}]))',
)

/** An execution bears the name of its run. Tables of a replica share a machine, so that more stands behind it. */
export const nameOfExecution = jsonata(
  '$exists($states.input.suffix) ? $states.input.run.id & "-" & $states.input.suffix : $states.input.run.id',
)

/** Of the machine that works on tables: which one. */
export const tableOfExecution = jsonata('$states.context.Execution.Input.pipeline')

/** What the machine of a replica gives to that of a table. */
export const inputOfTable = jsonata(
  '$merge([{"run": $states.input.run, "pipeline": $states.input.step, ' +
    '"AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID": $states.context.Execution.Id}, ' +
    '$type($states.input.mode) = "null" ? {} : {"mode": $states.input.mode}])',
)

/**
 * What a workflow's machine was told by a pipeline's that did not succeed: its last words, as far as they are there.
 * What matters of them is in the state table, unless that was away.
 */
export const toldFault =
  '($cause := $exists($states.input.error.Cause) ? $states.input.error.Cause : ""; $own := $substringAfter($cause, "\\"Cause\\":\\""); ' +
  '$told := $own = $cause ? $states.input.error.Error & ": " & $cause : $substringBefore($own, "\\",\\""); ' +
  `${firstOf('$told', LONGEST_REASON)})`

/** An item of a group of pipelines, with the statuses of what any of them waits for. */
export function itemOfGroup(dependencies: readonly string[]): string {
  const statuses = dependencies.length === 0 ? '{}' : withoutBrackets(statusesOf(dependencies))
  return jsonata(`$merge([$states.context.Map.Item.Value, {"run": $states.input.run, "steps": ${statuses}}])`)
}

/** An item of a level, with the statuses of what it waits for. */
export const itemOfLevel = jsonata(
  '($item := $states.context.Map.Item.Value; $merge([$item, {"run": $states.input.run, ' +
    `"steps": ${withoutBrackets(statusesIn('$item.after'))}}]))`,
)

/** Of an item of a group. */
export const itemLeftOut = jsonata(`$exists(${ONLY}) ? ($states.input.step in ${ONLY}) = false : false`)
export const itemFulfilled = jsonata(`$count(${unfulfilled('$states.input.after')}) = 0`)
export const itemSkipped = jsonata(
  `{$states.input.step: {"status": "skipped", "reason": ${skipped('$states.input.after')}}}`,
)

/** The outcome of an item of a group; `ending` is an expression of an object. */
export function itemEnded(ending: string): string {
  return jsonata(`{$states.input.step: ${ending}}`)
}

/**
 * How a pipeline ended, with the beginning of its reason: 300 of them share one payload. The record of the step has the
 * whole of it.
 */
export const outcomeInResult =
  '($reason := $states.result.Payload.reason; {"status": $states.result.Payload.status, ' +
  `"reason": $type($reason) = "string" ? ${firstOf('$reason', LONGEST_OF_MANY)} : null})`

/** Whether a workflow has started the execution of a pipeline's machine. */
export const isOfWorkflow = jsonata('$exists($states.context.Execution.Input.run)')

/** The run that made the plan: this one, or the one that it resumes. */
export const planningRun = jsonata(
  '$exists($states.input.plan.planned_by) ? $states.input.plan.planned_by : $states.input.run.id',
)

/** Whether all of the steps have succeeded, or were left out; a step that is not there has not. */
export function allFulfilled(steps: readonly string[]): string {
  return jsonata(`$count(${unfulfilled(listed(steps))}) = 0`)
}

/** Those of the asked steps that did not succeed; `steps` is an expression of a list. */
function unfulfilled(steps: string): string {
  return (
    `$filter(${steps}, function($step) { ($lookup($states.input.steps, $step).status = "success") = false and ` +
    `($exists(${ONLY}) ? $step in ${ONLY} : true) })`
  )
}

/** `orders failed and customers was skipped`: how they ended. */
function thoseThatDidNotSucceed(steps: string): string {
  const endings = '{"failed": " failed", "skipped": " was skipped", "refused": " was refused"}'
  return (
    `($endings := ${endings}; $join($map(${unfulfilled(steps)}, function($step) { ` +
    '$step & ($status := $lookup($states.input.steps, $step).status; ' +
    '$exists($status) ? $lookup($endings, $status) : " did not run") }), ", "))'
  )
}

function listed(steps: readonly string[]): string {
  return `[${steps.map(literal).join(', ')}]`
}

function skipped(dependencies: string): string {
  const those = thoseThatDidNotSucceed(dependencies)
  return `($those := ${those}; "Skipped, since " & ${firstOf('$those', LONGEST_REASON)} & ".")`
}

export function skippedReason(dependencies: readonly string[]): string {
  return jsonata(skipped(listed(dependencies)))
}

/** Finish may also fail a run whose steps have all succeeded. */
export function failureCause(steps: readonly string[]): string {
  return jsonata(
    `($those := ${thoseThatDidNotSucceed(listed(steps))}; $exists($those) ? $those & "." : "Finish ended the run as failed.")`,
  )
}

/**
 * The caught error as a catcher hands it on: the cause cut to what a reason can need, so that it fits beside the
 * outcomes of the other steps. After a timeout there is no cause.
 */
export const caughtError = jsonata(
  `{"Error": $states.errorOutput.Error, "Cause": ${firstOf('$states.errorOutput.Cause', LONGEST_CAUSE)}}`,
)

/**
 * `<Error>: <message>` of the caught error. The cause of a Lambda's error is JSON with an `errorMessage`, which may be
 * cut off; that of other errors is a sentence, or missing. Escaped backslashes and quotes step aside, as characters
 * that JSON never holds bare, until the quote that ends the message is found.
 */
export const caughtReason = jsonata(
  '($cause := $exists($states.input.error.Cause) ? $states.input.error.Cause : ""; ' +
    '$swap := function($text, $from, $to) { $join($split($text, $from), $to) }; ' +
    `$rest := $substringAfter($cause, ${literal('"errorMessage"')}); ` +
    `$isJson := $contains($rest, ${QUOTE}) and $trim($substringBefore($rest, ${QUOTE})) = ":"; ` +
    `$escaped := $substringAfter($rest, ${QUOTE}) ` +
    `~> $swap(${literal('\\\\')}, ${ASIDE.backslash}) ~> $swap(${literal('\\"')}, ${ASIDE.quote}) ` +
    `~> $substringBefore(${QUOTE}); ` +
    `$printable := $join($map($split($escaped, ${literal('\\u')}), ` +
    'function($part, $index) { $index = 0 ? $part : " " & ' +
    '($length($part) > 4 ? $substring($part, 4, $length($part) - 4) : "") }), ""); ' +
    `$oneLine := $reduce(${listed(['\\n', '\\r', '\\t', '\\b', '\\f'])}, ` +
    'function($text, $escape) { $swap($text, $escape, " ") }, $printable); ' +
    `$message := $isJson ? $oneLine ~> $swap(${BACKSLASH}, "") ` +
    `~> $swap(${ASIDE.backslash}, ${BACKSLASH}) ~> $swap(${ASIDE.quote}, ${QUOTE}) : $cause; ` +
    `$states.input.error.Error & ($message = "" ? "" : ": " & ${firstOf('$message', LONGEST_REASON)}))`,
)

/** The same as it came, and only its beginning: of many steps, and where a definition has it many times. */
export const caughtReasonOfMany = jsonata(
  `($reason := $states.input.error.Error & ": " & $states.input.error.Cause; ${firstOf('$reason', LONGEST_OF_MANY)})`,
)

/** Of a step of many whose error says why in its message. */
export const caughtReasonCut = jsonata(
  `($reason := ${withoutBrackets(caughtReason)}; ${firstOf('$reason', LONGEST_OF_MANY)})`,
)

/** The same as `allFailed` of the items of a level, without brackets. */
export const levelFailed =
  `($failed := ${outcome('failed', caughtReasonOfMany)}; $merge([$states.input.steps, ` +
  `$merge($map($states.input.items.step, function($step) { ($exists(${ONLY}) ? $step in ${ONLY} : true) ? ` +
  '{$step: $failed} : {} }))]))'

/** The steps so far, and as failed, with the caught error as their reason, those of some that were asked for. */
export function allFailed(steps: readonly string[]): string {
  const outcomes = steps.map((step) => `${literal(step)}: $failed`)
  return jsonata(
    `($failed := ${outcome('failed', caughtReasonOfMany)}; $merge([$states.input.steps, ` +
      `$sift({${outcomes.join(', ')}}, function($_, $step) { $exists(${ONLY}) ? $step in ${ONLY} : true })]))`,
  )
}

/** The steps so far and the outcome of one more, which may carry further fields: an expression of an object. */
export function stepsWith(step: string, outcome: string): string {
  return jsonata(`$merge([$states.input.steps, {${literal(step)}: ${outcome}}])`)
}

/** An outcome as an expression; `reason` is a `{% … %}` expression, or null. */
export function outcome(status: StepOutcome['status'], reason: string | null): string {
  const sentence = reason === null ? 'null' : withoutBrackets(reason)
  return `{"status": ${literal(status)}, "reason": ${sentence}}`
}
