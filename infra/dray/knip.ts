import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/*
 * What knip has to know of the framework; `knip.ts` of the project adds what is the user's. The packages export all of
 * their files to each other, as `./internal/*`, so the entries are named here one by one.
 */

const manifest = (folder: string) =>
  JSON.parse(readFileSync(join(import.meta.dirname, '../..', folder, 'package.json'), 'utf8'))

/** Handlers and tests of the framework import what its packages depend on, which npm puts where all of them find it. */
const hoisted = ['shared/dray', 'infra/dray'].flatMap((folder) => Object.keys(manifest(folder).dependencies))

/** The framework's handlers and tests, which are no packages. */
export const framework = {
  entry: [
    '.ci/*.ts',
    'functions/dray/*.ts',
    'test/dray/seconds-reporter.ts',
    'test/dray/{run,parts}.ts',
    'test/dray/cloud/impatient-cdk.ts',
    'test/dray/faults/command/shifted-clock.ts',
    'test/dray/faults/simulation/simulate.ts',
    'test/dray/**/*.test.ts',
    'test/dray/**/fixtures/**/*.ts',
    'test/dray/fixture/functions/*/*.ts',
    'test/dray/fixture/infra/project.ts',
    'test/dray/cloud/{features,loads}/{functions/*/*,infra/project}.ts',
    'test/dray/benchmarks/{,handlers/}*.ts',
    'test/dray/cleaning/make-places.ts',
    'test/dray/page/record-terminal.ts',
    'test/dray/**/*.long.ts',
    'test/dray/projects/{raw,replaced}/{functions/*,infra}/*.ts',
  ],
  project: ['.ci/*.ts', 'functions/dray/**/*.ts', 'test/dray/**/*.ts'],
  ignore: ['test/dray/benchmarks/contenders/**'],
  // What the tests hand to the browser is read as a file.
  ignoreDependencies: [...hoisted, 'aws-lambda', 'axe-core'],
  ignoreBinaries: ['apt-get', 'cdk', 'java', 'mount', 'node24', 'pgloader', 'script', 'setpriv', 'umount'],
}

export const packages = {
  'shared/dray': {
    entry: ['{workflow,lambda,cleaning}/index.ts'],
    project: ['**/*.ts'],
  },
  'infra/dray': {
    entry: [
      'aws/app.ts',
      'cli/dray.ts',
      'emulator/emulator-process.ts',
      'prove/project/{functions/*/*,infra/project}.ts',
      'local/services-process.ts',
      'local/isolated/bootstrap.ts',
      'local/worker-port.ts',
      'page/project-thread.ts',
      'page/client/{main,static}.tsx',
    ],
    project: ['**/*.{ts,tsx}'],
    // Dynalite is loaded by `require`, since it has no types; the CLI of the CDK is a process.
    ignoreDependencies: ['dynalite', 'aws-cdk'],
  },
}
