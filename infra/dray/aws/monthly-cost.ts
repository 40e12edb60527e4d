import { assumptions } from 'dray/internal/pipeline/plan/capacity.ts'

/** A template of CloudFormation, as far as its resources cost something while nothing runs. */
export interface CostedTemplate {
  readonly Resources?: Readonly<
    Record<string, { readonly Type: string; readonly Properties?: Readonly<Record<string, unknown>> }>
  >
}

export const standingParts = [
  'keys',
  'secrets',
  'alarms',
  'dashboards',
  'metrics',
  'janitors',
  'polling',
  'endpoints',
] as const
export type StandingPart = (typeof standingParts)[number]

/** How many there are, and what they cost in a month. */
export type MonthlyCost = Readonly<Record<StandingPart, { readonly count: number; readonly usDollars: number }>>

export const HOURS_OF_MONTH = 730
/** Metrics that janitors write with each sweep. */
const STANDING_METRICS = ['SecondsSinceSuccess', 'FreshnessSeconds']
/**
 * Lambda asks an idle queue by so many long polls at once.
 * https://aws.amazon.com/premiumsupport/knowledge-center/sqs-high-charges/
 */
const POLLERS = 5
const POLL_SECONDS = 20
/** Of a janitor's sweep. */
const SWEEP_SECONDS = 0.3

/**
 * US dollars a month of what stands whether anything runs or not, by part: list prices without the free tier. Takes the
 * templates of all stacks of an environment, nested ones too. What costs by its use is left out.
 */
export function monthlyCost(templates: Iterable<CostedTemplate>): MonthlyCost {
  const resources = [...templates].flatMap(({ Resources = {} }) => Object.values(Resources))
  const ofType = (type: string) =>
    resources.flatMap(({ Type, Properties = {} }) => (Type === `AWS::${type}` ? [Properties] : []))
  const sum = (numbers: readonly number[]) => numbers.reduce((total, one) => total + one, 0)
  const counts: Record<StandingPart, number> = {
    keys: ofType('KMS::Key').length,
    secrets: secretsOf(ofType('Lambda::Function')),
    alarms: sum(ofType('CloudWatch::Alarm').map(metricsOfAlarm)),
    dashboards: ofType('CloudWatch::Dashboard').length,
    metrics: sum(ofType('CloudWatch::Dashboard').map(standingMetrics)),
    janitors: sum(ofType('Events::Rule').map(callsInMonth)),
    polling: ofType('Lambda::EventSourceMapping').length,
    endpoints: sum(ofType('EC2::VPCEndpoint').map(zonesOf)),
  }
  const cost = (part: StandingPart) => ({ count: counts[part], usDollars: counts[part] * unitPrices()[part] })
  return Object.fromEntries(standingParts.map((part) => [part, cost(part)])) as MonthlyCost
}

/** Of one of each in a month: a metric of an alarm, a call of a janitor, a polled queue, a zone of an endpoint. */
export function unitPrices(): Readonly<Record<StandingPart, number>> {
  const { prices, lambdaGigabytes, callLogBytes } = assumptions
  const polls = (POLLERS * HOURS_OF_MONTH * 3600) / POLL_SECONDS
  return {
    keys: prices.keyMonth,
    secrets: prices.secretMonth,
    alarms: prices.alarmMetricMonth,
    dashboards: prices.dashboardMonth,
    metrics: prices.metricMonth,
    janitors:
      SWEEP_SECONDS * lambdaGigabytes * prices.lambdaGigabyteSecond +
      prices.lambdaRequest +
      (callLogBytes / 1e9) * prices.logGigabyte,
    polling: polls * prices.sqsRequest,
    endpoints: HOURS_OF_MONTH * prices.endpointHour,
  }
}

export function totalOf(cost: MonthlyCost): number {
  return standingParts.reduce((total, part) => total + cost[part].usDollars, 0)
}

type Properties = Readonly<Record<string, unknown>>

/** People make the secrets; functions name them in variables that end so. */
function secretsOf(functions: readonly Properties[]): number {
  const named = functions.flatMap(({ Environment }) => {
    const { Variables = {} } = (Environment ?? {}) as { readonly Variables?: Properties }
    return Object.entries(Variables).flatMap(([name, value]) =>
      name.endsWith('_SECRET_ARN') ? [JSON.stringify(value)] : [],
    )
  })
  return new Set(named).size
}

function metricsOfAlarm({ Metrics }: Properties): number {
  return Array.isArray(Metrics) ? Metrics.filter((one) => one?.MetricStat !== undefined).length : 1
}

/** What is on the dashboard of a workflow; a freshness is written by workflow, too. */
function standingMetrics({ DashboardBody }: Properties): number {
  const body = JSON.stringify(DashboardBody)
  const named = STANDING_METRICS.map((metric) => body.split(`\\"${metric}\\"`).length - 1)
  return named.reduce((total, one) => total + one, 0) + (body.includes('FreshnessSeconds') ? 1 : 0)
}

function callsInMonth({ ScheduleExpression }: Properties): number {
  const [, every = '', unit = ''] = /^rate\((\d+) (minute|hour|day)s?\)$/.exec(String(ScheduleExpression)) ?? []
  const minutes = { minute: 1, hour: 60, day: 24 * 60 }[unit]
  return minutes === undefined ? 0 : Math.round((HOURS_OF_MONTH * 60) / (Number(every) * minutes))
}

function zonesOf({ VpcEndpointType, SubnetIds }: Properties): number {
  return VpcEndpointType === 'Interface' && Array.isArray(SubnetIds) ? SubnetIds.length : 0
}
