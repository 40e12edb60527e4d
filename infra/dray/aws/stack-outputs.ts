/** The stack of an environment; its stacks of pipelines and workflows begin with the same name. */
export function stackNameOf(environment: string): string {
  return `Dray-${environment}`
}

/** What an environment's first stack says of itself, for the command and the others: the keys of its outputs. */
export const stackOutputs = {
  stateTable: 'StateTable',
  stagingBucket: 'StagingBucket',
  key: 'KeyArn',
  operatorPolicy: 'OperatorPolicy',
  databasePolicy: 'DatabasePolicy',
  /** The security groups of functions, where the environment names a network. */
  databasesGroup: 'DatabasesSecurityGroup',
  stagingGroup: 'StagingSecurityGroup',
} as const

/** The name by which an output is known in an account and region. */
export function exportOf(environment: string, output: string): string {
  return `${stackNameOf(environment)}:${output}`
}
