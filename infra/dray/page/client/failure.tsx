import type { RunDetailDocument, RunStepDocument } from '../documents.ts'
import { LogLines } from './log.tsx'
import { Action, CommandLine } from './parts.tsx'
import { usePlace } from './place.ts'
import { FirstRows } from './quarantine-rows.tsx'
import { Status, Text } from './words.tsx'

/** Of each step that did not succeed: where, why in words, what was logged, the first bad rows, and how to go on. */
export function Failures({ detail }: { readonly detail: RunDetailDocument }) {
  const { run, steps } = detail
  const failed = steps.filter(({ status }) => status === 'failed')
  const others = steps.filter(({ status }) => status === 'skipped' || status === 'refused')
  const { mayAct, pasted } = usePlace()
  if (run.status === 'success' || run.status === 'running') return null
  return (
    <section class="failures" aria-label="What failed">
      <div class="head">
        <h2>
          {failed.length === 0 ? `The run was ${run.status}` : `${failed.map(({ name }) => name).join(', ')} failed`}
        </h2>
        <span class="actions">
          {mayAct && (
            <>
              <Action label="Resume" asks={{ kind: 'resume', run: run.id }} />
              <Action
                label="Run anew"
                asks={{ kind: 'run', name: run.workflow, ...(run.only ? { only: run.only } : {}) }}
              />
            </>
          )}
        </span>
      </div>
      {failed.length === 0 && run.error !== null && (
        <p class="reason">
          <Text of={run.error} />
        </p>
      )}
      {failed.map((step) => (
        <Failure key={step.name} step={step} detail={detail} />
      ))}
      {others.length > 0 && (
        <ul class="others">
          {others.map((step) => (
            <li key={step.name}>
              <Status of={step.status} /> <b>{step.name}</b> <Text of={step.error ?? 'it was not reached'} />
            </li>
          ))}
        </ul>
      )}
      <p class="next">
        Repair the cause, then do what is left: <CommandLine text={pasted(`dray resume ${run.id}`)} />
      </p>
    </section>
  )
}

function Failure({ step, detail }: { readonly step: RunStepDocument; readonly detail: RunDetailDocument }) {
  const { mayAct, pasted } = usePlace()
  const call = detail.calls.findLast(({ step: of, status }) => of === step.name && status === 'failed')
  const partition = call?.partition ?? null
  const of = detail.partitions.filter(({ pipeline }) => pipeline === step.name).length
  const quarantined = step.quarantined ?? 0
  return (
    <article class="failure" aria-label={`${step.name} failed`}>
      <h3>
        <Text of={step.name} />
        {call !== undefined && (
          <span class="muted">
            {' '}
            in {call.stage}
            {partition !== null && `, partition ${partition + 1}${of > 1 ? ` of ${of}` : ''}`}
          </span>
        )}
        {step.owner != null && (
          <span class="muted">
            {' '}
            · owner <Text of={step.owner} />
          </span>
        )}
      </h3>
      <p class="reason">
        <Text of={step.error ?? call?.error ?? 'no reason is known'} />
      </p>
      <LogLines run={detail.run.id} step={step.name} partition={partition} most={12} />
      {quarantined > 0 && (
        <>
          <h4>First bad rows</h4>
          <FirstRows run={detail.run.id} pipeline={step.name} most={3} />
          <p class="next">
            When the cause is mended:{' '}
            <CommandLine text={pasted(`dray quarantine replay ${step.name} --run ${detail.run.id}`)} />{' '}
            {mayAct && (
              <Action
                label="Replay"
                asks={{ kind: 'replay', pipeline: step.name, run: detail.run.id }}
                confirm={`Send the open rows of ${step.name} through the transform and the load of now?`}
              />
            )}
          </p>
        </>
      )}
    </article>
  )
}
