import { pascalCase } from './pascal-case.ts'

/** The stack of an environment. */
export function stackNameOf(environment: string): string {
  return `Dray-${environment}`
}

/** What a stack says of itself, for the command: the keys of its outputs. */
export const stackOutputs = {
  stateTable: 'StateTable',
  stagingBucket: 'StagingBucket',
  operatorPolicy: 'OperatorPolicy',
  databasePolicy: 'DatabasePolicy',
  /** The ARN of the state machine of a workflow. */
  machine: (workflow: string) => `${pascalCase(workflow)}Machine`,
} as const
