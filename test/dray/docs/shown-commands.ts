/** A command that pages show. */
interface ShownCommand {
  readonly command: RegExp
  readonly why: string
}

/** Pages whose commands are run as they stand there, and by what. */
export const FOLLOWED: Readonly<Record<string, string>> = {
  'docs/tutorial.md': 'test/dray/docs/tutorial.test.ts',
  'docs/cookbook.md': 'test/dray/docs/cookbook.test.ts',
  'docs/replicas.md': 'test/dray/docs/replicas.test.ts',
}

const ACCOUNT = 'needs an account of AWS'
const KEYBOARD = 'asks at the keyboard, or handles what was typed there'

/** Commands that no test runs, wherever they stand. */
export const NOT_RUN: readonly ShownCommand[] = [
  { command: /^aws /, why: ACCOUNT },
  { command: /^npx cdk bootstrap /, why: ACCOUNT },
  {
    command: /^npx dray (?:deploy|diff|destroy|prove) (?!emulated)/,
    why: `${ACCOUNT}; test/dray/cloud does it emulated`,
  },
  { command: /^npx dray .*--env (?!emulated)/, why: `${ACCOUNT}; test/dray/cli/remote.test.ts does it on a stand-in` },
  { command: /^gh /, why: 'needs an account of GitHub' },
  { command: /^\(umask 077; read |^read |^export \w+_DATABASE_URL|^rm (?:sales|slack)\.url/, why: KEYBOARD },
  { command: /^printf %s "\$url"/, why: KEYBOARD },
  { command: /^curl .*\$WEBHOOK_URL|^npx dray run nightly --json >/, why: 'needs a server that takes messages' },
  {
    command: /^npm run bench|^npm run simulate|^DRAY_KILLS=|^FUZZ_RUNS=|^DRAY_PARITY=|^DRAY_COPIES=/,
    why: 'takes minutes to hours',
  },
  { command: /^npx node24 .*peer-trials\.ts$/, why: 'installs other tools, and takes minutes' },
  { command: /^git (?:diff|commit)\b/, why: "is Git's" },
]

/** Commands that tests run in another place, with other names. */
export const RUN_ELSEWHERE: readonly ShownCommand[] = [
  { command: /^npm (?:ci|start|test|run check|run test:long)\b/, why: '.ci/run, and test/dray/cli/start.test.ts' },
  { command: /^npx dray (?:deploy|destroy) emulated$|^npx dray runs? --env emulated$/, why: 'test/dray/cloud' },
  { command: /^npx dray check\b/, why: 'test/dray/cli/check.test.ts' },
  { command: /^npx dray dev$/, why: 'test/dray/page/dev.test.ts' },
  { command: /^npx dray docs\b/, why: 'test/dray/page/docs.test.ts' },
  { command: /^curl -H "authorization: Bearer \$TOKEN" .*\/events -d /, why: 'test/dray/page/page.test.ts' },
  { command: /^npx dray import csv /, why: 'test/dray/cli/import.test.ts, test/dray/local/csv' },
  { command: /^npx dray new ci$/, why: 'test/dray/cli/new.test.ts' },
  { command: /^npx dray preview orders --save-fixture$/, why: 'test/dray/cli/verbs.test.ts' },
  { command: /^npx dray upgrade /, why: 'test/dray/upgrade' },
  { command: /^npx dray run (?:daily-data-warehouse-update|products)$/, why: 'test/dray/cli/start.test.ts' },
  { command: /^npx dray (?:runs|quarantine list|plan orders|reconcile orders)$/, why: 'test/dray/cli/verbs.test.ts' },
  { command: /^npx dray add(?: sales\.products)?$/, why: 'test/dray/add' },
]
