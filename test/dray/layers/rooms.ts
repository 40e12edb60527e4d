/** What knows rows and tables. */
const model = ['dray/errors.ts', 'dray/block', 'dray/database', 'dray/active-record']

/** What a run is made of beside its rows. */
const run = ['dray/staging', 'dray/state', 'dray/messages']

const pipeline = [
  'declare',
  'texts',
  'rows',
  'plan',
  'landing',
  'quarantine',
  'replica',
  'checks',
  'sql-task',
  'stages',
  'inspect',
].map((room) => `dray/pipeline/${room}`)

/** The rooms of the pipeline up to one, and what all of them stand on. */
function pipelineBelow(room: string): readonly string[] {
  return [...model, ...run, 'dray/pipeline', ...pipeline.slice(0, pipeline.indexOf(`dray/pipeline/${room}`))]
}

const dray: Readonly<Record<string, readonly string[]>> = {
  'dray/errors.ts': [],
  'dray/block': [],
  'dray/database': ['dray/errors.ts', 'dray/block'],
  'dray/active-record': ['dray/errors.ts', 'dray/block', 'dray/database'],
  'dray/cleaning': [],
  'dray/messages': ['dray/errors.ts'],
  'dray/staging': ['dray/errors.ts', 'dray/messages'],
  'dray/state': ['dray/errors.ts', 'dray/messages'],
  'dray/workflow': ['dray/errors.ts', 'dray/messages', 'dray/pipeline/declare'],
  'dray/triggers': ['dray/errors.ts', 'dray/messages', 'dray/state'],
  'dray/pipeline': run,
  'dray/pipeline/declare': [...model, 'dray/messages'],
  'dray/pipeline/texts': [...model, 'dray/messages'],
  'dray/pipeline/rows': pipelineBelow('rows'),
  'dray/pipeline/plan': pipelineBelow('plan'),
  'dray/pipeline/landing': pipelineBelow('landing'),
  'dray/pipeline/quarantine': pipelineBelow('quarantine'),
  'dray/pipeline/replica': pipelineBelow('replica'),
  'dray/pipeline/checks': pipelineBelow('checks'),
  'dray/pipeline/sql-task': pipelineBelow('sql-task'),
  'dray/pipeline/stages': pipelineBelow('stages'),
  'dray/pipeline/inspect': pipelineBelow('inspect'),
  'dray/lineage': ['dray/errors.ts', 'dray/database', 'dray/active-record', 'dray/messages', 'dray/pipeline/declare'],
  'dray/index.ts': [...model, 'dray/pipeline/declare'],
}

const infra: Readonly<Record<string, readonly string[]>> = {
  'dray-infra/knip.ts': [],
  'dray-infra/bundle': [],
  'dray-infra/texts': [],
  'dray-infra/states-language': ['dray/workflow'],
  'dray-infra/project': [
    ...['dray/errors.ts', 'dray/database', 'dray/messages', 'dray/workflow'],
    ...['dray/pipeline/declare', 'dray/pipeline/replica'],
  ],
  'dray-infra/index.ts': ['dray-infra/project'],
  'dray-infra/upgrade': ['dray/errors.ts'],
  'dray-infra/aws': [...Object.keys(dray), 'dray-infra/project'],
  'dray-infra/local': [...Object.keys(dray), ...['bundle', 'project', 'aws'].map((room) => `dray-infra/${room}`)],
  'dray-infra/runs': [
    ...Object.keys(dray),
    'dray/lambda',
    ...['bundle', 'states-language', 'project', 'aws', 'local'].map((room) => `dray-infra/${room}`),
  ],
  'dray-infra/remote': [
    ...Object.keys(dray),
    'dray/lambda',
    ...['project', 'aws', 'runs'].map((room) => `dray-infra/${room}`),
  ],
  'dray-infra/add': [...Object.keys(dray), ...['project', 'local', 'upgrade'].map((room) => `dray-infra/${room}`)],
  'dray-infra/testing': [...Object.keys(dray), 'dray-infra/local', 'dray-infra/add'],
  'dray-infra/emulator': [
    'dray/errors.ts',
    'dray/database',
    ...['bundle', 'project', 'local', 'remote'].map((room) => `dray-infra/${room}`),
  ],
  'dray-infra/prove': [
    ...Object.keys(dray),
    'dray/lambda',
    'dray-infra/index.ts',
    ...['project', 'local', 'remote', 'emulator'].map((room) => `dray-infra/${room}`),
  ],
  'dray-infra/doctor': [
    ...Object.keys(dray),
    'dray/lambda',
    ...['project', 'aws', 'local', 'runs', 'remote'].map((room) => `dray-infra/${room}`),
  ],
  'dray-infra/page': [
    ...Object.keys(dray),
    ...['bundle', 'texts', 'project', 'local', 'runs', 'add', 'doctor'].map((room) => `dray-infra/${room}`),
  ],
  'dray-infra/cli': [
    ...Object.keys(dray),
    ...[
      'bundle',
      'texts',
      'project',
      'upgrade',
      'aws',
      'local',
      'runs',
      'remote',
      'emulator',
      'prove',
      'add',
      'doctor',
      'testing',
      'page',
    ].map((room) => `dray-infra/${room}`),
  ],
}

/**
 * The layers: each room, and what it may import beside itself, type imports included. A room is a folder of a package,
 * a room of the pipeline, or a file beside the folders. No room stands above itself.
 */
export const rooms: Readonly<Record<string, readonly string[]>> = {
  ...dray,
  'dray/lambda': Object.keys(dray),
  ...infra,
}

/**
 * What stands behind the contracts `StagingStore` and `ItemTable`, and the rooms that choose among it.
 */
export const implementations: RegExp =
  /^shared\/dray\/(staging\/(s3|folder)-staging-store|staging\/staging-url|state\/(dynamodb-\w|open-item-table|local\/))/
export const ASSEMBLING: RegExp = /^(dray\/(staging|state|lambda)|dray-infra\/(local|runs|remote|cli|testing))$/

/** Packages that only these rooms may import. */
export const reserved: readonly { readonly packages: RegExp; readonly rooms: RegExp; readonly why: string }[] = [
  {
    packages: /^(aws-cdk-lib|constructs|cdk-nag)(\/|$)/,
    rooms: /^dray-infra\/aws$/,
    why: 'the stacks alone know the CDK',
  },
  {
    packages: /^(@middy|@aws-lambda-powertools)\//,
    rooms: /^dray\/lambda$/,
    why: 'what stands around a handler is in dray/lambda',
  },
  {
    packages: /^@(aws-sdk|smithy)\//,
    rooms: /^(dray\/(staging|state|lambda)|dray-infra\/(aws|cli|local|prove|remote|runs))$/,
    why: 'models and pipelines know no AWS',
  },
  {
    packages: /^(hono|@hono\/node-server|preact|uplot|croner|@dagrejs\/dagre)(\/|$)/,
    rooms: /^dray-infra\/page$/,
    why: 'what the page is made of is loaded by nothing else',
  },
  {
    packages: /^(mysql2|pg-copy-streams|pg)(\/|$)/,
    rooms: /^(dray\/database|dray-infra\/local)$/,
    why: 'only an adapter speaks to a driver',
  },
]
